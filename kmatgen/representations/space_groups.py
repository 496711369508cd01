"""Space groups of crystals, by moyopy."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import moyopy
import numpy as np

from kmatgen.errors import InputError
from kmatgen.representations.crystal_table import CrystalTable
from kmatgen.representations.distances import reduced_vectors


def with_space_groups(table: CrystalTable, symprec: float = 0.01, angle_tolerance: float | None = None) -> CrystalTable:
    """The same crystals with the space group that their atoms have, whatever their files say.

    Args:
        table: Crystals.
        symprec: How far atoms may stand from where a symmetry puts them, Angstrom.
        angle_tolerance: The same for angles of the lattice, degrees. None derives it from `symprec`.

    Returns:
        A table whose `space_group` is the international number, 0 where none could be found.
    """
    found = symmetry_datasets(table, symprec, angle_tolerance)
    return replace(table, space_group=[0 if data is None else data.number for data in found])


def symmetry_datasets(
    table: CrystalTable, symprec: float = 0.01, angle_tolerance: float | None = None
) -> list[moyopy.MoyoDataset | None]:
    """What moyopy finds for each crystal: operations, Wyckoff letters, standardised cells.

    `None` where it fails, or where the cell is none that a crystal could have: with some of those moyopy panics, with
    some it never ends.
    """
    check_tolerances(symprec, angle_tolerance)
    radians = None if angle_tolerance is None else float(np.radians(angle_tolerance))
    possible = _possible_cells(table, symprec).tolist()
    columns = (possible, table.matrix.tolist(), table.species.tolist(), table.coords.tolist(), table.n_sites.tolist())
    found = []
    with _quiet():
        for is_possible, matrix, species, coords, sites in zip(*columns, strict=True):
            if not is_possible:
                found.append(None)
                continue
            try:
                cell = moyopy.Cell(matrix, coords[:sites], species[:sites])
                found.append(moyopy.MoyoDataset(cell, symprec=symprec, angle_tolerance=radians))
            except ValueError:
                found.append(None)
    return found


def _possible_cells(table: CrystalTable, symprec: float) -> np.ndarray:
    """`(n,)`: whether all numbers are finite and no two images of an atom are nearer than 1 Angstrom.

    Nor than five halves of the tolerance: where it is half of a lattice vector, moyopy was seen never to end.
    """
    least = max(1.0, 2.5 * symprec)
    finite = np.isfinite(table.volume) & np.isfinite(table.coords).all(axis=(1, 2))
    lengths = np.linalg.norm(reduced_vectors(table.matrix)[0], axis=-1)
    with np.errstate(invalid="ignore"):
        return finite & (table.volume > 0) & (lengths >= least).all(axis=1) & (lengths <= 1e4).all(axis=1)


def check_tolerances(symprec: float, angle_tolerance: float | None) -> None:
    """Refuse tolerances that are not positive."""
    for name, value in {"symprec": symprec, "angle_tolerance": angle_tolerance}.items():
        if value is not None and not value > 0:
            raise InputError(f"{name} is above 0. Received: {name}={value}.")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without moyopy's line of warning for every cell that is not primitive, which is nothing to worry about."""
    log = logging.getLogger("moyo")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
