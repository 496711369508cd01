"""Crystals moved to the symmetry that they nearly have: what generators make has noise, and would otherwise be P1."""

from __future__ import annotations

from dataclasses import dataclass, replace

import moyopy
import numpy as np

from kmatgen.representations.crystal_table import CrystalTable, lattice_matrix, lattice_parameters
from kmatgen.representations.space_groups import symmetry_datasets

# Fractions of a cell within which a site stands at a given place.
_SAME_PLACE = 1e-3
# Angstrom, or degrees, by which what is held may move.
_STILL = 1e-3


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

    Cell, origin and order of sites stay as they are: moyopy refines lattice and positions in the primitive cell, and
    these are brought back into the given one.

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
        if data is not None:
            sites = table.n_sites[row]
            lattice[row], coords[row, :sites] = _refined(table.coords[row, :sites], data)
            space_group[row] = data.number
    result = replace(table, lattice=lattice, coords=coords, space_group=space_group)
    return result, symmetry_report(table, result)


def _refined(coords: np.ndarray, data: moyopy.MoyoDataset) -> tuple[np.ndarray, np.ndarray]:
    """Lattice `(6,)` and coordinates of moyopy's refined primitive cell, brought back into the cell that was given.

    In moyopy's terms, with vectors in columns: primitive = given linear, x_primitive = linear^-1 (x - shift).
    """
    linear = np.array(data.prim_std_linear)
    basis = np.array(data.prim_std_cell.basis)
    places = np.array(data.prim_std_cell.positions)[data.mapping_std_prim]
    away = places - (coords - np.array(data.prim_std_origin_shift)) @ np.linalg.inv(linear).T
    away -= np.rint(away)
    lattice = lattice_parameters(np.linalg.inv(linear).T @ basis)
    # Right angles come out right to the last digit.
    lattice[3:] = np.where(np.abs(lattice[3:] - 90) < 1e-9, 90.0, lattice[3:])
    return lattice, coords + away @ linear.T


def kept_still(
    drawn: CrystalTable, symmetric: CrystalTable, places: np.ndarray, hold_lattice: bool = False
) -> CrystalTable:
    """Symmetrised crystals with some sites, and the lattice, where they were.

    A symmetry may move all sites together, as no origin is special: a crystal goes back by what the held sites moved on
    average. One whose symmetry wants held sites elsewhere, or another lattice, is as it was drawn, without a group.

    Args:
        drawn: Crystals before they were symmetrised.
        symmetric: The same after.
        places: `(k, 3)` fractional coordinates of the sites that are held; of none `(0, 3)`.
        hold_lattice: Whether the lattice is held.
    """
    away = drawn.coords[:, :, None] - np.reshape(places, (-1, 3))
    held = (np.abs(away - np.rint(away)).max(axis=-1) < _SAME_PLACE).any(axis=-1) & drawn.mask
    moved = np.where(held[..., None], symmetric.coords - drawn.coords, 0.0)
    back = moved.sum(axis=1, keepdims=True) / np.maximum(held.sum(axis=1), 1)[:, None, None]
    coords = symmetric.coords - back * drawn.mask[..., None]
    left = np.where(held[..., None], coords - drawn.coords, 0.0) @ lattice_matrix(drawn.lattice)
    still = np.linalg.norm(left, axis=-1).max(axis=1, initial=0.0) < _STILL
    if hold_lattice:
        still &= np.abs(symmetric.lattice - drawn.lattice).max(axis=1, initial=0.0) < _STILL
    return replace(
        symmetric,
        lattice=np.where(still[:, None], symmetric.lattice, drawn.lattice),
        coords=np.where(still[:, None, None], coords, drawn.coords),
        space_group=np.where(still, symmetric.space_group, 0).astype(np.int16),
    )


def symmetry_report(before: CrystalTable, after: CrystalTable) -> SymmetryReport:
    """What moved from crystals to the same in their symmetry."""
    moved = (after.coords - before.coords) @ lattice_matrix(before.lattice)
    changes = np.abs(after.lattice - before.lattice)
    return SymmetryReport(
        space_group=after.space_group,
        displacement=np.linalg.norm(moved, axis=-1).max(axis=1, initial=0.0),
        length_change=changes[:, :3].max(axis=1),
        angle_change=changes[:, 3:].max(axis=1),
    )
