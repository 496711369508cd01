"""Crystals as a model drew them, the symmetry that they nearly have, and both as files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from kmatgen.crystals.files import write_crystals
from kmatgen.plotting.crystals import MOST_CELLS, crystal_grid
from kmatgen.representations.base import Arrays, keep_crystals
from kmatgen.representations.crystal_table import CrystalTable
from kmatgen.representations.symmetrise import SymmetryReport, symmetrise


@dataclass(frozen=True, eq=False)
class GeneratedCrystals:
    """What a model generated.

    Attributes:
        samples: Lattice, species, coordinates and where there is one the mask of sites, as the model made them.
        refused: `(n,)` why a row makes no crystal, empty where it does.
        table: Those that do, in their symmetry.
        moved: What symmetrising them moved.
    """

    samples: Arrays
    refused: np.ndarray
    table: CrystalTable
    moved: SymmetryReport

    @property
    def drawn(self) -> CrystalTable:
        """All of them before they were symmetrised; those that make no cell among them."""
        return CrystalTable.from_fields(self.samples)


def in_symmetry(samples: Arrays, symprec: float = 0.1) -> GeneratedCrystals:
    """Find the symmetry that generated crystals nearly have, and impose it.

    Args:
        samples: From `generate` of a model of crystals.
        symprec: How far atoms may stand from where a symmetry puts them, Angstrom.
    """
    decoded = keep_crystals(samples)
    table, moved = symmetrise(decoded.table, symprec)
    return GeneratedCrystals(samples, decoded.refused, table, moved)


def write_drawn(made: GeneratedCrystals, seed: int, folder: str | Path) -> None:
    """Write `samples.npz`, as the model made them, and `cif/`, `crystals.csv` and `grid.png`, in their symmetry.

    Args:
        made: Generated crystals.
        seed: What they were drawn with, to stand in the archive.
        folder: Where to write.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / "samples.npz", **made.samples, seed=seed)
    write_crystals(made.table, folder, pd.DataFrame({"symmetrised_by": made.moved.displacement}))
    crystal_grid(made.table[:MOST_CELLS], folder / "grid.png")
