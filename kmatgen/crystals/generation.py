"""From a trained model to crystals that can be used: generated, symmetrised, scored, written, reported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kmatgen.crystals.drawn import GeneratedCrystals, in_symmetry
from kmatgen.crystals.files import write_crystals
from kmatgen.data.crystal_known import EVERYTHING, Hold, known_crystal
from kmatgen.data.crystal_source import CrystalSource
from kmatgen.errors import InputError
from kmatgen.metrics.crystal_published import PUBLISHED
from kmatgen.metrics.crystal_scores import score_rows
from kmatgen.metrics.crystal_validity import compositionally_valid, structurally_valid
from kmatgen.models.base import GenerativeModel
from kmatgen.models.denoising import DenoisingSampler
from kmatgen.pages import Picture, picture, render
from kmatgen.plotting.crystals import MOST_CELLS, crystal_distributions, crystal_grid
from kmatgen.representations.base import keep_crystals
from kmatgen.representations.crystal_table import CrystalTable
from kmatgen.representations.symmetrise import kept_still, symmetry_report

if TYPE_CHECKING:
    from pymatgen.core import Structure


def generate_crystals(
    model: GenerativeModel,
    crystals: CrystalSource,
    n: int,
    seed: int = 0,
    request: dict[str, Any] | None = None,
    symprec: float = 0.1,
    fixed: Structure | None = None,
    hold: Hold | None = None,
    near: Structure | None = None,
    **options: Any,
) -> GeneratedCrystals:
    """Generate crystals and find the symmetry that they nearly have.

    Args:
        model: Trained on these crystals.
        crystals: The data that it was trained on.
        n: Number of crystals.
        seed: The same seed gives the same crystals.
        request: What is asked for, see `CrystalConditions.asked`; of a VAE also values of properties that it predicts.
        symprec: How far atoms may stand from where a symmetry puts them, Angstrom.
        fixed: A crystal of which generated ones have parts, for diffusion models.
        hold: Which: `{"lattice": True}`, all species `{"species": True}`, places of some sites `{"coords": [0, 2]}`, or
            several of these, see `kmatgen.data.crystal_known`.
        near: A crystal that generated ones resemble, for diffusion models; how much says `strength`.
        **options: Passed on to `generate`, such as `steps`, `guidance` and `strength`.

    Raises:
        InputError: The model does not know what is asked for, or a crystal given does not fit the data.
    """
    condition: dict[str, Any] | None = crystals.asked(request or {})
    if fixed is not None or near is not None:
        given, mask = _given(model, crystals, fixed, hold, near)
        options |= given
        condition = condition if mask is None else {**(condition or {}), "mask": mask}
    properties = crystals.asked_properties(request or {})
    if properties:
        options = {"near": crystals.with_conditions(crystals.train), **options, "properties": properties}
    if crystals.are_sets and "near" not in options and "mask" not in (condition or {}):
        # Small crystals cost little where they are together.
        masks = model.draw_conditions(n, seed)["mask"].numpy()
        condition = {**(condition or {}), "mask": masks[np.argsort(masks.sum(axis=1), kind="stable")]}
    batch_size = 16 if crystals.are_tensors else 256
    samples = model.generate(n, condition, seed=seed, batch_size=batch_size, **options)
    made = in_symmetry(samples, symprec)
    return made if fixed is None or hold is None else _with_parts_held(made, fixed, hold)


def _with_parts_held(made: GeneratedCrystals, fixed: Structure, hold: Hold) -> GeneratedCrystals:
    """The same, with the parts of a given crystal where they were before the symmetry was imposed."""
    which = hold.get("coords", False)
    places = fixed.frac_coords if which is True else fixed.frac_coords[list(which or ())]
    drawn = keep_crystals(made.samples).table
    table = kept_still(drawn, made.table, places, bool(hold.get("lattice", False)))
    return replace(made, table=table, moved=symmetry_report(drawn, table))


def _given(
    model: GenerativeModel, crystals: CrystalSource, fixed: Structure | None, hold: Hold | None, near: Structure | None
) -> tuple[dict[str, Any], np.ndarray | None]:
    """The crystals as `generate` takes them, and the mask of sites, where that is a condition."""
    if not isinstance(model, DenoisingSampler):
        raise InputError(f"A diffusion model can be given a crystal. Received: a {type(model).__name__}.")
    if (fixed is None) != (hold is None):
        raise InputError("fixed is the crystal and hold says what of it is kept. Received: one without the other.")
    given: dict[str, Any] = {}
    masks = []
    for name, structure, kept in (("fixed", fixed, hold), ("near", near, EVERYTHING)):
        if structure is not None and kept is not None:
            given[name], mask = known_crystal(crystals, structure, kept)
            masks.append(mask)
    if len(masks) == 2 and not np.array_equal(*masks):
        raise InputError(
            f"fixed and near have the same number of sites. Received: {len(fixed or ())} and {len(near or ())}."
        )
    return given, masks[0]


def write_generation(
    generated: GeneratedCrystals,
    crystals: CrystalSource,
    folder: str | Path,
    published: str | None = None,
    seed: int = 0,
    **scoring: Any,
) -> dict[str, dict[str, float]]:
    """Score generated crystals and write all there is to see of them.

    Leaves `cif/`, `crystals.csv`, `refused.csv`, `scores.csv`, pictures and `crystals.html` in the folder.

    Args:
        generated: From `generate_crystals`.
        crystals: The data that the model was trained on; what was held out of them is the reference.
        folder: Where to write.
        published: Name of a set of published scores to show beside, see `kmatgen.metrics.crystal_published`.
        seed: Of draws in scoring.
        **scoring: Options of `score_crystals`, such as `jobs` and `cache`.

    Returns:
        Scores by row and name.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rows = score_rows(generated.drawn, crystals.test, crystals.train, seed=seed, **scoring)
    scores = _beside_published(rows, published)
    scores.to_csv(folder / "scores.csv", index_label="crystals")
    refused = _write_tables(generated, folder)
    table, moved = generated.table, generated.moved
    render(
        "crystals.html",
        folder / "crystals.html",
        title=f"{len(generated.drawn):,} generated crystals",
        scores=scores,
        data=crystals.describe(),
        refused=refused["reason"].value_counts().to_dict(),
        symmetric=float((moved.space_group > 1).mean()) if len(table) else 0.0,
        displacement=float(np.median(moved.displacement)) if len(table) else 0.0,
        train=len(crystals.train),
        test=len(crystals.test),
        figures=_pictures(table, crystals.test, folder),
    )
    return rows


def _beside_published(rows: dict[str, dict[str, float]], published: str | None) -> pd.DataFrame:
    """Scores, a row for each set of crystals, and below them those that were published for other models."""
    scores = pd.DataFrame(rows).T
    for row in PUBLISHED.get(published or "", ()):
        scores.loc[f"{row.model} (published)"] = pd.Series(row.scores)
    return scores


def _write_tables(generated: GeneratedCrystals, folder: Path) -> pd.DataFrame:
    """Write the crystals with what was checked of each, and the rows that made none with the reasons; give these."""
    table = generated.table
    checked = {
        "structurally_valid": structurally_valid(table),
        "compositionally_valid": compositionally_valid(table),
        "symmetrised_by": generated.moved.displacement,
    }
    write_crystals(table, folder, pd.DataFrame(checked))
    rows = np.flatnonzero(generated.refused != "")
    refused = pd.DataFrame({"row": rows, "reason": generated.refused[rows]})
    refused.to_csv(folder / "refused.csv", index=False)
    return refused


def _pictures(generated: CrystalTable, real: CrystalTable, folder: Path) -> list[Picture]:
    cells = crystal_grid(generated.spread(MOST_CELLS), folder / "generated.png")
    held_out = crystal_grid(real.spread(MOST_CELLS), folder / "held_out.png")
    distributions = crystal_distributions({"generated": generated, "held out": real}, folder / "distributions.png")
    return [
        picture(cells, "Generated crystals", "Cells in their symmetry, drawn from all that were generated."),
        picture(held_out, "Real crystals", "Held-out data, never trained on, to judge the generated ones by."),
        picture(
            distributions, "Distributions", "Density, elements and space groups of generated and of held-out crystals."
        ),
    ]
