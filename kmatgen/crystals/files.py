"""Generated crystals as files: CIF for each, and a csv table of all."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from tqdm import tqdm

from kmatgen.representations.crystal_table import CrystalTable

if TYPE_CHECKING:
    from pymatgen.core import Structure

# How far sites of symmetrised crystals may stand from where their symmetry puts them, Angstrom.
_EXACT = 1e-3


def write_crystals(table: CrystalTable, folder: str | Path, scores: pd.DataFrame | None = None) -> Path:
    """Write `cif/crystal_0000.cif`, ... and `crystals.csv`.

    The CIF files have the symmetry that the crystals carry: those with a space group other than P1 are in their
    conventional cell, with its operations and the sites that these do not make. The csv has all cells as they are.

    Args:
        table: Valid crystals, in the symmetry of their `space_group`, as `symmetrise` gives them.
        folder: Where to write.
        scores: Further columns of the csv, a row for each crystal.

    Returns:
        The csv file, which has a column `cif` with the text of each crystal, so that it can be trained on again.
    """
    from pymatgen.io.cif import CifWriter

    folder = Path(folder)
    (folder / "cif").mkdir(parents=True, exist_ok=True)
    width = max(4, len(str(len(table) - 1)))
    texts = []
    for row, structure in enumerate(tqdm(table.structures(), desc="CIF files", disable=len(table) < 500)):
        texts.append(str(CifWriter(structure)))
        symmetric = _symmetric_cif(structure) if table.space_group[row] > 1 else None
        path = folder / "cif" / f"crystal_{row:0{width}d}.cif"
        path.write_text(symmetric or texts[-1], encoding="utf-8")
    columns = {
        "formula": table.formulas(),
        "space_group": table.space_group,
        "sites": table.n_sites,
        **{name: table.lattice[:, index] for index, name in enumerate(("a", "b", "c", "alpha", "beta", "gamma"))},
        "volume": table.volume,
        "density": table.density,
    }
    frame = pd.DataFrame(columns)
    if scores is not None:
        frame = pd.concat([frame, scores.reset_index(drop=True)], axis=1)
    path = folder / "crystals.csv"
    frame.assign(cif=texts).to_csv(path, index=False)
    return path


def _symmetric_cif(structure: Structure) -> str | None:
    """The text of a crystal with its symmetry; None where spglib does not find it."""
    from pymatgen.io.cif import CifWriter
    from pymatgen.symmetry.analyzer import SymmetryUndeterminedError

    with warnings.catch_warnings():
        # pymatgen calls spglib in a way that spglib deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return str(CifWriter(structure, symprec=_EXACT))
        except SymmetryUndeterminedError:
            return None
