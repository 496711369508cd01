"""Crystals moved to the symmetry that they nearly have: what generators make has noise, and would otherwise be P1."""

from __future__ import annotations

from dataclasses import dataclass, replace

import moyopy
import numpy as np

from kmatgen.representations.crystal_table import CrystalTable, lattice_matrix
from kmatgen.representations.space_groups import symmetry_datasets


@dataclass(frozen=True)
class SymmetryReport:
    """What symmetrising did, a row for each crystal.

    Attributes:
        space_group: `(n,)` international number of the symmetry imposed; 0 where none was found, and nothing moved.
        displacement: `(n,)` how far the atom that moved most did so, in Angstrom, apart from the strain of the cell.
        length_change: `(n,)` largest change of a, b or c in Angstrom.
        angle_change: `(n,)` largest change of an angle in degrees.
    """

    space_group: np.ndarray
    displacement: np.ndarray
    length_change: np.ndarray
    angle_change: np.ndarray

    def __str__(self) -> str:
        found = self.space_group > 1
        moved = f"{np.median(self.displacement[found]):.3f} A" if found.any() else "nothing"
        return (
            f"{found.sum()} of {len(found)} crystals have more symmetry than P1 "
            f"({len(np.unique(self.space_group[found]))} space groups); median of the largest displacement: {moved}"
        )


def symmetrise(
    table: CrystalTable, symprec: float = 0.1, angle_tolerance: float | None = None
) -> tuple[CrystalTable, SymmetryReport]:
    """Find the space group of each crystal within a tolerance and impose it.

    Cell and order of sites stay as they are. The lattice becomes the average of its metric over the point group, each
    site the average of the places to which the operations bring the sites of its orbit.

    Args:
        table: Crystals.
        symprec: How far atoms may stand from where a symmetry puts them, Angstrom.
        angle_tolerance: The same for angles of the lattice, degrees. `None` derives it from `symprec`.

    Returns:
        The table, `space_group` filled in, and what moved.

    Raises:
        InputError: A tolerance that is not positive.
    """
    lattice, coords = table.lattice.copy(), table.coords.copy()
    space_group = np.zeros(len(table), np.int16)
    for row, data in enumerate(symmetry_datasets(table, symprec, angle_tolerance)):
        sites = table.n_sites[row]
        if data is None:
            continue
        imposed = _imposed(table.matrix[row], table.species[row, :sites], table.coords[row, :sites], data)
        if imposed is not None:
            lattice[row], coords[row, :sites] = imposed
            space_group[row] = data.number
    result = replace(table, lattice=lattice, coords=coords, space_group=space_group)
    return result, _report(table, result)


def _imposed(
    matrix: np.ndarray, species: np.ndarray, coords: np.ndarray, data: moyopy.MoyoDataset
) -> tuple[np.ndarray, np.ndarray] | None:
    """Lattice `(6,)` and coordinates with the symmetry; None if an operation does not bring the sites to each other."""
    rotations = np.array(data.operations.rotations, np.float64)
    translations = np.array(data.operations.translations)
    metric = np.einsum("gki,kl,glj->ij", rotations, matrix @ matrix.T, rotations) / len(rotations)
    lengths = np.sqrt(np.diag(metric))
    cosines = (metric / np.outer(lengths, lengths))[[1, 0, 0], [2, 2, 1]]
    # Right angles come out right to the last digit where the operations demand them.
    angles = np.degrees(np.arccos(np.where(np.abs(cosines) < 1e-12, 0.0, cosines)))
    # Where each operation brings each site, and which site is there.
    images = coords @ rotations.swapaxes(1, 2) + translations[:, None]
    away = images[:, :, None] - coords
    away -= np.rint(away)
    squares = np.square(away @ matrix).sum(axis=-1)
    squares[:, species[:, None] != species] = np.inf
    target = squares.argmin(axis=-1)
    if (np.sort(target, axis=1) != np.arange(len(coords))).any():
        return None
    # An operation and site for each target; its image is taken beside the target.
    source = np.argsort(target, axis=1)
    shift = np.take_along_axis(away, target[..., None, None], axis=2)[:, :, 0]
    shift = np.take_along_axis(shift, source[..., None], axis=1)
    return np.concatenate([lengths, angles]), coords + shift.mean(axis=0)


def _report(before: CrystalTable, after: CrystalTable) -> SymmetryReport:
    moved = (after.coords - before.coords) @ lattice_matrix(before.lattice)
    changes = np.abs(after.lattice - before.lattice)
    return SymmetryReport(
        space_group=after.space_group,
        displacement=np.linalg.norm(moved, axis=-1).max(axis=1, initial=0.0),
        length_change=changes[:, :3].max(axis=1),
        angle_change=changes[:, 3:].max(axis=1),
    )
