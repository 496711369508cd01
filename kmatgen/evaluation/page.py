"""One self-contained HTML page of evaluations: tables, samples beside real ones, curves, distributions, close pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from kmatgen.errors import InputError
from kmatgen.evaluation.crystals import RealCrystals
from kmatgen.evaluation.metric import Metric, get_metrics
from kmatgen.evaluation.physical import weighted
from kmatgen.evaluation.scoring import Judge
from kmatgen.evaluation.table import Evaluation, number, span
from kmatgen.evaluation.view import View
from kmatgen.metrics.correlation import two_point_curve
from kmatgen.pages import Picture, picture, render
from kmatgen.plotting.crystals import MOST_CELLS, crystal_distributions, crystal_grid
from kmatgen.plotting.evaluations import REAL, band_curves, density_curves
from kmatgen.plotting.images import image_grid, pair_grid
from kmatgen.representations.crystal_table import CrystalTable

_IMAGES = (
    "Behind each value its 95 % interval. The floor is the same metric of real against other real samples, mean over "
    "splits by image: no model can be told from real samples below it. What can be had without training stands beside "
    "it: each held-out sample with its pixels in another order, and samples of the training set drawn again."
)
_CRYSTALS = (
    "The floor of a distance, and what a share can reach, are the same of training crystals drawn again. Beside it "
    "what can be had without training: the same crystals with their species shuffled."
)
_SHOWN = 36
_PAIRS = 8


def write_page(
    judge: Judge, samples: Mapping[str, np.ndarray], tables: Mapping[str, Evaluation], folder: str | Path, title: str
) -> Path:
    """Write `evaluation.html`, and its pictures in `pictures/`.

    Args:
        judge: The real samples.
        samples: Generated samples of each model, by its name.
        tables: The evaluation of each.
        folder: Where to write.
        title: Heading of the page.
    """
    folder = Path(folder)
    pictures = folder / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    views = {REAL: View(judge.samples[: judge.count], judge.eye)}
    views |= {name: View(values, judge.eye) for name, values in samples.items()}
    first = next(iter(tables.values()))
    return render(
        "evaluation.html",
        folder / "evaluation.html",
        title=title,
        about=first.about,
        notes=list(dict.fromkeys(note for table in tables.values() for note in table.notes)),
        explanation=_IMAGES,
        names=list(tables),
        rows=table_rows(tables),
        baselines=list(dict.fromkeys(name for score in first for name in score.baselines)),
        samples=[*_grids(views, pictures)],
        figures=[*_figures(views, pictures)],
        pairs=[*_pairs(judge, samples, pictures)],
    )


def table_rows(tables: Mapping[str, Evaluation]) -> list[dict]:
    """A row for each metric, with what all models share once and a cell for each model."""
    rows = []
    first = next(iter(tables.values()))
    for score in first:
        scores = [table[score.name] for table in tables.values()]
        known = next((other for other in scores if other.value is not None), score)
        rows.append(
            {
                "name": score.name,
                "title": score.title,
                "unit": score.unit,
                "floor": number(known.floor),
                "baselines": {name: number(value) for name, value in known.baselines.items()},
                "real": number(known.real),
                "cells": [
                    {
                        "value": number(one.value),
                        "interval": span(one.low, one.high),
                        "generated": number(one.generated),
                        "verdict": one.verdict,
                        "good": one.good,
                    }
                    for one in scores
                ],
            }
        )
    return rows


def _grids(views: Mapping[str, View], folder: Path) -> list[Picture]:
    shown = []
    for index, (name, view) in enumerate(views.items()):
        path = image_grid(view.samples[:_SHOWN], folder / f"samples_{index}.png")
        caption = "Held-out samples." if name == REAL else f"{min(_SHOWN, len(view.samples))} samples, not chosen."
        shown.append(picture(path, name, caption))
    return shown


def _figures(views: Mapping[str, View], folder: Path) -> list[Picture]:
    """Curves and distributions; one that cannot be had for these samples is left out, its metric says why."""
    unit = next(iter(views.values())).settings.unit
    chords, grains = get_metrics(["chord_length", "grain_size"])
    made: list[tuple[str, str, Callable[[Path], Path]]] = [
        (
            "Two-point correlation",
            "S2(r) of the measured phase: the mean, in a band that holds the middle half of the samples.",
            lambda path: _correlations(views, path, unit),
        ),
        (
            "Phase fractions",
            "Share of the measured phase in each sample.",
            lambda path: density_curves(
                {name: _fractions(view) for name, view in views.items()}, path, "phase fraction"
            ),
        ),
        (
            "Chord lengths",
            "Pieces that the measured phase cuts out of lines along the axes, those at the borders left out.",
            lambda path: density_curves(_weighted(chords, views), path, f"chord length / {unit}"),
        ),
        (
            "Grain sizes",
            "Equivalent diameters of grains found by watershed, those at the borders left out and made up for.",
            lambda path: density_curves(_weighted(grains, views), path, f"equivalent diameter / {unit}"),
        ),
    ]
    shown = []
    for title, caption, draw in made:
        try:
            shown.append(picture(draw(folder / f"{title.lower().replace(' ', '_')}.png"), title, caption))
        except InputError:
            continue
    return shown


def _correlations(views: Mapping[str, View], path: Path, unit: str) -> Path:
    curves = {name: two_point_curve(view.mask, view.settings.periodic, view.pixel_size) for name, view in views.items()}
    distance = next(iter(curves.values())).distance
    return band_curves(distance, {name: curve.values for name, curve in curves.items()}, path, f"r / {unit}", "S2(r)")


def _fractions(view: View) -> tuple[np.ndarray, np.ndarray]:
    fractions = view.mask.reshape(len(view.mask), -1).mean(axis=1)
    return fractions, np.ones_like(fractions)


def _weighted(metric: Metric, views: Mapping[str, View]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {name: weighted(metric.describe(view)) for name, view in views.items()}


def _pairs(judge: Judge, samples: Mapping[str, np.ndarray], folder: Path) -> list[Picture]:
    """For each model the samples that are nearest to training samples, above those."""
    shown = []
    for index, (name, values) in enumerate(samples.items()):
        try:
            found = judge.nearest(values, pairs=_PAIRS)
        except InputError:
            continue
        chosen, training = found.pairs[:, 0], found.pairs[:, 1]
        path = pair_grid(values[chosen], judge.real.others[training], folder / f"nearest_{index}.png")
        caption = (
            f"{name}: above, the samples nearest to training samples; below, those. "
            f"{found.share_below:.1%} of the samples are nearer than 99 % of held-out samples are"
            f" (up to {found.share_allowed:.1%} may be by chance); {found.copies} are near copies."
        )
        shown.append(picture(path, name, caption))
    return shown


def write_crystal_page(
    real: RealCrystals, crystals: Mapping[str, CrystalTable], tables: Mapping[str, Evaluation], folder: Path, title: str
) -> Path:
    """Write `evaluation.html` of crystals: the table, cells beside real ones, distributions.

    Args:
        real: The real crystals.
        crystals: Those of each model, by its name.
        tables: The evaluation of each.
        folder: Where to write.
        title: Heading of the page.
    """
    pictures = folder / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    sets = {REAL: real.held_out, **crystals}
    grids = [
        picture(crystal_grid(table[:MOST_CELLS], pictures / f"crystals_{index}.png"), name, "The first, not chosen.")
        for index, (name, table) in enumerate(sets.items())
    ]
    drawn = crystal_distributions(sets, pictures / "distributions.png")
    first = next(iter(tables.values()))
    return render(
        "evaluation.html",
        folder / "evaluation.html",
        title=title,
        about=first.about,
        notes=[],
        explanation=_CRYSTALS,
        names=list(tables),
        rows=table_rows(tables),
        baselines=list(dict.fromkeys(name for score in first for name in score.baselines)),
        samples=grids,
        figures=[picture(drawn, "Distributions", "Of crystals with a sensible structure, over each other.")],
        pairs=[],
    )
