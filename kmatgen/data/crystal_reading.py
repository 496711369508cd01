"""Entries of a collection read into a table: what one process does with its share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kmatgen.data.cleaning import (
    NO_SYMMETRY,
    OVERLAPPING_SITES,
    TOO_MANY_SITES,
    ZERO_VOLUME,
    RefusedEntry,
)
from kmatgen.data.crystal_cells import CELLS, with_cell
from kmatgen.data.crystal_cif import UnitCell
from kmatgen.data.crystal_files import Entry, read_entry
from kmatgen.data.crystal_origin import ORIGINS, with_origin
from kmatgen.data.duplicates import crystal_keys
from kmatgen.errors import InputError
from kmatgen.representations.crystal_table import CrystalTable
from kmatgen.representations.site_order import ORDERS, order_sites
from kmatgen.representations.space_groups import check_tolerances, with_space_groups

LEAST_VOLUME = 0.1  # cubic Angstrom
LEAST_DISTANCE = 0.5  # Angstrom; no two nuclei of a crystal are nearer
# A cell given with more sites may still have a small primitive cell, but not with this many times more.
_LARGEST_SUPERCELL = 8
_PAIRS = 1_000_000  # pairs of sites looked at together


@dataclass(frozen=True)
class ReadOptions:
    """What is made of the cells that are read; see `read_crystals`."""

    cell: str = "given"
    order: str = "given"
    origin: str = "given"
    max_sites: int = 128
    symprec: float | None = 0.01
    angle_tolerance: float | None = None

    def __post_init__(self) -> None:
        """Refuse wrong options before anything is read."""
        # The order by role is learned from all crystals, and here they are read a few at a time.
        known = {"cell": CELLS, "order": tuple(order for order in ORDERS if order != "role"), "origin": ORIGINS}
        for name, values in known.items():
            if getattr(self, name) not in values:
                raise InputError(f"{name} is one of {', '.join(values)}. Received: {getattr(self, name)!r}.")
        if self.max_sites < 1:
            raise InputError(f"max_sites is at least 1. Received: {self.max_sites}.")
        if self.symprec is None and self.cell != "given":
            raise InputError(f"A cell chosen by symmetry needs symprec. Received: cell={self.cell!r}, symprec=None.")
        check_tolerances(self.symprec, self.angle_tolerance)


class Share(NamedTuple):
    """A part of a collection that was read.

    Attributes:
        table: The crystals that can be used; None where there is none.
        refused: The entries that cannot.
        keys: For each crystal the key that duplicates share, see `crystal_keys`.
    """

    table: CrystalTable | None
    refused: list[RefusedEntry]
    keys: list[bytes]


def read_entries(entries: Sequence[Entry], options: ReadOptions) -> Share:
    """Read entries, refuse what cannot be used, and bring the others into the wanted cell and order."""
    refused: list[RefusedEntry] = []
    cells: list[UnitCell] = []
    origins: list[str] = []
    properties: list[dict[str, float]] = []
    most = options.max_sites * (1 if options.cell == "given" else _LARGEST_SUPERCELL)
    for entry in entries:
        found = read_entry(entry, most)
        for cell in found:
            if isinstance(cell, RefusedEntry):
                refused.append(cell)
                continue
            cells.append(cell)
            origins.append(f"{entry.origin}#{cell.name}" if len(found) > 1 else entry.origin)
            properties.append({**entry.properties, **cell.properties} if cell.properties else entry.properties)
    if not cells:
        return Share(None, refused, [])
    table = _table(cells, origins, properties)
    table = _refuse_impossible(table, refused)
    table = _described(table, options, refused)
    return Share(table, refused, crystal_keys(table)) if len(table) else Share(None, refused, [])


def _table(cells: list[UnitCell], origins: list[str], properties: list[dict[str, float]]) -> CrystalTable:
    counts = np.array([len(cell.numbers) for cell in cells])
    occupied = np.arange(counts.max()) < counts[:, None]
    species = np.zeros(occupied.shape, np.int16)
    coords = np.zeros((*occupied.shape, 3))
    species[occupied] = [number for cell in cells for number in cell.numbers]
    coords[occupied] = [position for cell in cells for position in cell.coords]
    names = dict.fromkeys(name for row in properties for name in row)
    columns = {name: np.array([row.get(name, np.nan) for row in properties], np.float64) for name in names}
    lattice = np.array([cell.lattice for cell in cells])
    return CrystalTable(lattice, species, coords, [cell.space_group for cell in cells], columns, np.array(origins))


def _refuse_impossible(table: CrystalTable, refused: list[RefusedEntry]) -> CrystalTable:
    with np.errstate(invalid="ignore"):
        possible = (table.volume >= LEAST_VOLUME) & (table.lattice > 0).all(axis=1)
    table = _without(table, possible, ZERO_VOLUME, "Lengths and angles span no volume.", refused)
    apart = least_distances(table) >= LEAST_DISTANCE
    return _without(table, apart, OVERLAPPING_SITES, f"Two atoms are nearer than {LEAST_DISTANCE} A.", refused)


def _described(table: CrystalTable, options: ReadOptions, refused: list[RefusedEntry]) -> CrystalTable:
    """The table in the wanted cell and order, with space groups."""
    if options.symprec is not None and len(table):
        if options.cell == "given":
            table = with_space_groups(table, options.symprec, options.angle_tolerance)
        else:
            table = _in_cell(table, options, refused)
    return order_sites(with_origin(table, options.origin), options.order)


def _in_cell(table: CrystalTable, options: ReadOptions, refused: list[RefusedEntry]) -> CrystalTable:
    chosen, found = with_cell(table, options.cell, options.symprec, options.angle_tolerance)
    _without(table, found, NO_SYMMETRY, f"moyopy finds no symmetry within {options.symprec} A.", refused)
    fits = chosen.n_sites <= options.max_sites
    detail = f"The {options.cell} cell has more than {options.max_sites} sites."
    return _without(chosen, fits, TOO_MANY_SITES, detail, refused)


def _without(
    table: CrystalTable, kept: np.ndarray, reason: str, detail: str, refused: list[RefusedEntry]
) -> CrystalTable:
    refused += [RefusedEntry(str(table.origin[row]), reason, detail) for row in np.flatnonzero(~kept)]
    return table[kept] if not kept.all() else table


def least_distances(table: CrystalTable) -> np.ndarray:
    """`(n,)` the least distance between two atoms or an atom and its own image, Angstrom.

    Exact below half of the least distance between lattice planes, which is enough to find atoms in one place; above,
    the true distance may be smaller. `periodic_distances` is exact everywhere, for 27 times the work.
    """
    # All pairs of sites of many large cells at once would not fit into memory.
    rows = max(1, _PAIRS // max(1, table.species.shape[1] ** 2))
    parts = [_least_distances(table[start : start + rows]) for start in range(0, len(table), rows)]
    return np.concatenate([np.zeros(0), *parts])


def _least_distances(table: CrystalTable) -> np.ndarray:
    differences = table.coords[:, :, None] - table.coords[:, None]
    differences -= np.round(differences)
    vectors = differences @ table.matrix[:, None]
    pairs = table.mask[:, :, None] & table.mask[:, None] & ~np.eye(table.species.shape[1], dtype=bool)
    squares = np.where(pairs, (vectors**2).sum(-1), np.inf)
    return np.minimum(np.sqrt(squares.min(axis=(1, 2))), table.lattice[:, :3].min(axis=1))
