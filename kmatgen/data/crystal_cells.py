"""Which cell describes a crystal: as given, or one that its symmetry singles out."""

from __future__ import annotations

import moyopy
import numpy as np

from kmatgen.errors import InputError
from kmatgen.representations.crystal_table import CrystalTable, lattice_parameters
from kmatgen.representations.space_groups import symmetry_datasets

CELLS = ("given", "primitive", "conventional", "niggli")


def with_cell(
    table: CrystalTable, cell: str = "primitive", symprec: float = 0.01, angle_tolerance: float | None = None
) -> tuple[CrystalTable, np.ndarray]:
    """Describe each crystal by another of its cells.

    Args:
        table: Crystals.
        cell: `"given"` changes nothing. `"primitive"` and `"conventional"` are the standardised cells of the
            space group (International Tables settings), with positions moved by at most `symprec` to where the
            symmetry puts them. `"niggli"` is the Niggli-reduced primitive cell: one for each lattice, with short
            vectors and no hidden centring, the usual choice for generating.
        symprec: As in `with_space_groups`.
        angle_tolerance: As in `with_space_groups`.

    Returns:
        The crystals of which a symmetry could be found, with the space group that was, and the `(n,)` mask of those in
        `table`.

    Raises:
        InputError: There is no such cell.
    """
    if cell not in CELLS:
        raise InputError(f"A cell is one of {', '.join(CELLS)}. Received: {cell!r}.")
    if cell == "given":
        return table, np.ones(len(table), bool)
    datasets = symmetry_datasets(table, symprec, angle_tolerance)
    found = np.array([data is not None for data in datasets], bool)
    known = [data for data in datasets if data is not None]
    chosen = [data.std_cell if cell == "conventional" else data.prim_std_cell for data in known]
    if cell == "niggli":
        chosen = [_niggli(one) for one in chosen]
    return _with_cells(table[found], chosen, [data.number for data in known]), found


def _niggli(cell: moyopy.Cell) -> moyopy.Cell:
    basis, transformation = moyopy.niggli_reduce(cell.basis)
    # New vectors are transformation.T @ old ones, so coordinates transform with the inverse.
    coords = np.asarray(cell.positions) @ np.linalg.inv(np.asarray(transformation).T)
    return moyopy.Cell(basis, coords.tolist(), cell.numbers)


def _with_cells(table: CrystalTable, cells: list[moyopy.Cell], space_group: list[int]) -> CrystalTable:
    sites = max((cell.num_atoms for cell in cells), default=0)
    species = np.zeros((len(cells), sites), np.int16)
    coords = np.zeros((len(cells), sites, 3))
    for row, cell in enumerate(cells):
        species[row, : cell.num_atoms] = cell.numbers
        coords[row, : cell.num_atoms] = cell.positions
    lattice = lattice_parameters(np.array([cell.basis for cell in cells]).reshape(-1, 3, 3))
    return CrystalTable(lattice, species, coords, space_group, table.properties, table.origin)
