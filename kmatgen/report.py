"""The report of a run: one self-contained HTML page, pictures included."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kmatgen.evaluation.fractions import asked_and_made, follows_fractions
from kmatgen.models.structures import entries_of, rows_of
from kmatgen.pages import Picture, picture, render
from kmatgen.plotting import adversarial_curves, asked_figure, image_grid, loss_curves, pair_grid, traversal_points
from kmatgen.plotting.crystals import MOST_CELLS, crystal_grid, crystal_pairs, sample_grid

if TYPE_CHECKING:
    from kmatgen.data.opened import Source
    from kmatgen.models.base import GenerativeModel
    from kmatgen.run import Run


def write_run_report(run: Run, model: GenerativeModel, source: Source) -> Path:
    """Picture a finished run and write its `report.html`.

    Args:
        run: The run; its history and metrics are written already.
        model: The trained model.
        source: The data; what was held out is shown.
    """
    return render(
        "run.html",
        run.folder / "report.html",
        title=run.name,
        config=run.config,
        metrics=run.read_json("metrics.json"),
        data=run.read_json("data.json"),
        figures=list(_pictures(run, model, source)),
    )


def _pictures(run: Run, model: GenerativeModel, source: Source) -> list[Picture]:
    folder, seed, test = run.folder, run.config["seed"], source.test
    pictures = []
    if model.HAS_PRIOR:
        n = 64 if source.crystals is None else MOST_CELLS
        asked = source.example_condition(n)
        condition = model.example_condition(n) if asked is None else asked
        samples = sample_grid(model.generate(n, condition, seed=seed), folder / "samples.png")
        caption = f"{n} samples of the prior, seed {seed}"
        caption += "." if asked is None else "; asked for the conditions of held-out data in rising order, row by row."
        pictures.append(picture(samples, "Samples", caption))
    if source.crystals is None:
        real = image_grid(test[:64], folder / "real.png")
    else:
        real = crystal_grid(source.crystals.test[:MOST_CELLS], folder / "real.png")
    pictures.append(picture(real, "Real", "Held-out data, never trained on, to judge the samples by."))
    if hasattr(model, "reconstruct"):
        pictures.append(_reconstructions(model, source, folder / "reconstructions.png"))
    if model.HAS_PRIOR and hasattr(model, "decode") and source.crystals is None:
        points = traversal_points(model.latent_dim)
        grid = image_grid(model.decode(points), folder / "traversal.png", columns=9)
        caption = "A row for each of the first latent dimensions, from -3 to 3 with the others at 0."
        pictures.append(picture(grid, "Latent traversal", caption))
    if follows_fractions(model, source):
        asked, made = asked_and_made(model, source, seed=seed)
        figure = asked_figure(asked, made, folder / "phase_fractions.png")
        caption = (
            f"Fraction of pixels above {source.threshold:.3g} in samples asked for the fractions of held-out data: "
            f"off by {np.abs(made - asked).mean():.3f} on average."
        )
        pictures.append(picture(figure, "Phase fraction, asked and made", caption))
    return [*pictures, _curves(run, model)]


def _reconstructions(model: GenerativeModel, source: Source, path: Path) -> Picture:
    n = 32 if source.crystals is None else MOST_CELLS // 2
    shown, told = rows_of(source.test, slice(n)), rows_of(source.test_condition, slice(n))
    if source.crystals is None:
        pair_grid(shown, model.reconstruct(shown), path)
    else:
        wanted = None if model.condition_spec is None else entries_of(told, model.condition_spec)
        crystal_pairs(source.crystals.test[:n], model.reconstruct(shown, wanted), path)
    caption = "Held-out data; below each row, the same through the latent space and back."
    return picture(path, "Real against reconstructed", caption)


def _curves(run: Run, model: GenerativeModel) -> Picture:
    history = run.history()
    if "loss" in history:
        curves = loss_curves({run.name: [history]}, "loss", run.folder / "loss_curves.png")
        return picture(curves, "Loss curves", "The training loss, and dashed the same on held-out data.")
    probabilities = model.adversarial_loss.reports_probability
    curves = adversarial_curves(history, run.folder / "adversarial_curves.png", probabilities)
    caption = "Both losses, and what the discriminator gives real and generated samples; dashed on held-out data."
    if probabilities:
        caption += " Dotted: a discriminator that cannot tell them apart, 2 log 2 and 1/2."
    return picture(curves, "Adversarial curves", caption)
