"""Collections of crystals: files, tables or structures, read and cleaned into one `CrystalTable`."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from kmatgen.data.cleaning import DUPLICATE, CleaningReport, RefusedEntry
from kmatgen.data.crystal_entries import find_entries
from kmatgen.data.crystal_reading import ReadOptions, Share, read_entries
from kmatgen.data.duplicates import first_of_its_kind
from kmatgen.errors import InputError
from kmatgen.representations.crystal_table import CrystalTable

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from kmatgen.data.crystal_files import Entry

_CHUNK = 500  # entries handed to a process at once


@dataclass(frozen=True, eq=False)
class Crystals:
    """A collection that was read.

    Attributes:
        table: The crystals that can be used.
        report: The entries that cannot, and why.
        source: Where they come from, in words.
    """

    table: CrystalTable
    report: CleaningReport = field(default_factory=CleaningReport)
    source: str = ""

    def __len__(self) -> int:
        return len(self.table)

    @property
    def content_hash(self) -> str:
        """One sha256 over lattices, species and coordinates, rounded to 1e-6, in any order of the crystals."""
        arrays = (self.table.lattice, self.table.species, self.table.coords)
        flat = np.concatenate([np.round(array.reshape(len(self), -1), 6) + 0.0 for array in arrays], axis=1)
        rows = sorted(hashlib.sha256(row.tobytes()).digest() for row in flat)
        return hashlib.sha256(b"".join(rows)).hexdigest()

    def describe(self) -> dict[str, Any]:
        """Counts and ranges, ready for JSON."""
        from pymatgen.core import Element

        table = self.table
        numbers = np.unique(table.species[table.mask])
        groups, counts = np.unique(table.space_group, return_counts=True)
        frequent = np.argsort(-counts, kind="stable")
        return {
            "source": self.source,
            "crystals": len(self),
            "sites": _range(table.n_sites),
            "elements": {"number": len(numbers), "symbols": [Element.from_Z(int(number)).symbol for number in numbers]},
            "lengths_A": _range(table.lattice[:, :3]),
            "angles_deg": _range(table.lattice[:, 3:]),
            "volume_per_site_A3": _range(table.volume / table.n_sites),
            "density_g_cm3": _range(table.density),
            "space_groups": {str(groups[row]): int(counts[row]) for row in frequent},
            "properties": {name: _range(column) for name, column in table.properties.items()},
            "content_hash": self.content_hash,
            "refused_counts": self.report.counts,
            "refused": [{"file": entry.origin, "reason": f"{entry.reason}: {entry.detail}"} for entry in self.report],
        }


def read_crystals(
    source: str | os.PathLike[str] | Iterable[Structure],
    *,
    column: str | None = None,
    cell: str = "given",
    order: str = "given",
    origin: str = "given",
    max_sites: int = 128,
    symprec: float | None = 0.01,
    angle_tolerance: float | None = None,
    duplicates: bool = False,
    strict: bool = False,
    jobs: int = 1,
    parts: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Crystals:
    """Read and clean a collection of crystals.

    Args:
        source: A folder with CIF, POSCAR and pymatgen JSON files, subfolders included; one such file; a csv table
            with a column of such texts, whose columns of numbers become properties, as numbers beside a `structure` in
            JSON do; a list of pymatgen structures, whose `properties` do; or `"prototypes"`, the AFLOW structure
            prototypes that pymatgen ships.
        column: The csv column that holds the crystals. None finds it by what it holds.
        cell: `"given"`, `"primitive"`, `"conventional"` or `"niggli"`, see `with_cell`.
        order: `"given"`, `"position"`, `"cations"` or `"electronegativity"`, see `order_sites`.
        origin: `"given"` or `"atom"`, see `with_origin`.
        max_sites: Crystals with more sites in the chosen cell are refused.
        symprec: The space group is that which the atoms have within this many Angstrom. None believes the files.
        angle_tolerance: The same for angles of the lattice, degrees. None derives it from `symprec`.
        duplicates: Keep crystals that are equal to an earlier one, see `crystal_keys`.
        strict: Raise at the first entry that cannot be used, instead of reporting it.
        jobs: Processes that read. Starting them takes a second or two, so this is for more than some 10,000 crystals;
            a script that asks for several needs `if __name__ == "__main__":`.
        parts: A folder in which finished parts are kept: reading a large collection again goes on where it was
            interrupted, and reads nothing twice. None keeps nothing.
        progress: Show a progress bar.

    Returns:
        The crystals that can be used, in the order of the source, and a report of the others.

    Raises:
        InputError: The source cannot be read or holds nothing usable, or an option is wrong.
    """
    options = ReadOptions(cell, order, origin, max_sites, symprec, angle_tolerance)
    if jobs < 1:
        raise InputError(f"jobs is at least 1. Received: {jobs}.")
    entries = find_entries(source, column)
    name = str(source) if isinstance(source, (str, os.PathLike)) else f"{len(entries)} structures"
    with tqdm(total=len(entries), disable=not progress, unit="crystal") as bar:
        shares = _counted(read_shares(entries, options, jobs, parts), bar)
        return gathered(shares, name, duplicates, strict)


def gathered(shares: Iterable[Share], source: str, duplicates: bool = False, strict: bool = False) -> Crystals:
    """Put together what was read in parts.

    Args:
        shares: The parts, in the order of the source.
        source: Where they come from, in words.
        duplicates: As in `read_crystals`.
        strict: As in `read_crystals`.

    Raises:
        InputError: Nothing can be used, or, if `strict`, an entry cannot.
    """
    tables: list[CrystalTable] = []
    refused: list[RefusedEntry] = []
    keys: list[bytes] = []
    for share in shares:
        tables += [share.table] if share.table is not None else []
        refused += share.refused
        keys += share.keys
        if strict and refused:
            raise InputError(_sentence(source, refused))
    if not tables:
        counts = CleaningReport(refused).counts
        listed = "; ".join(f"{reason}: {count}" for reason, count in counts.items())
        sentence = _sentence(source, refused).removesuffix(".")
        raise InputError(f"No crystal of {source} can be used. {sentence} ({listed}).")
    table = CrystalTable.concatenate(_with_all_columns(tables))
    if not duplicates:
        first = first_of_its_kind(keys)
        new = first == np.arange(len(table))
        refused += [
            RefusedEntry(str(table.origin[row]), DUPLICATE, f"Equal to {table.origin[first[row]]}.")
            for row in np.flatnonzero(~new)
        ]
        table = table[new]
    return Crystals(table, CleaningReport(refused, len(table)), source)


def read_shares(
    entries: Sequence[Entry], options: ReadOptions, jobs: int = 1, parts: str | os.PathLike[str] | None = None
) -> Iterator[Share]:
    """Read entries in parts, in this process or in several; the arguments are those of `read_crystals`."""
    if parts is None:
        chunks = [entries[start : start + _CHUNK] for start in range(0, len(entries), _CHUNK)]
        yield from _in_processes(partial(read_entries, options=options), chunks, jobs)
        return
    from kmatgen.data.crystal_parts import PART, load_part, read_part, write_parts

    names = write_parts(entries, options, parts, PART)
    for name in _in_processes(partial(read_part, folder=parts), names, jobs):
        yield load_part(name, parts)


def _in_processes(read: Callable[[Any], Any], chunks: Sequence[Any], jobs: int) -> Iterator[Any]:
    if jobs == 1 or len(chunks) == 1:
        yield from map(read, chunks)
        return
    # A forked copy of a process that runs TensorFlow may hang, so each starts afresh.
    with ProcessPoolExecutor(min(jobs, len(chunks)), multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(read, chunks)


def _counted(shares: Iterable[Share], bar: tqdm) -> Iterator[Share]:
    for share in shares:
        yield share
        bar.update(len(share.keys) + len(share.refused))


def _with_all_columns(tables: list[CrystalTable]) -> list[CrystalTable]:
    """Files that bring numbers along need not all bring the same: those of others are not known."""
    names = dict.fromkeys(name for table in tables for name in table.properties)
    unknown = [dict.fromkeys(names, np.full(len(table), np.nan)) for table in tables]
    return [
        replace(table, properties={**missing, **table.properties})
        for table, missing in zip(tables, unknown, strict=True)
    ]


def _sentence(name: str, refused: Sequence[RefusedEntry]) -> str:
    first = refused[0]
    return f"{first.origin} is refused: {first.reason}. {first.detail} Received: {Path(name).name}."


def _range(values: np.ndarray) -> dict[str, float | None]:
    known = values[np.isfinite(values)]
    if not known.size:
        return {"min": None, "median": None, "max": None}
    return {"min": float(known.min()), "median": float(np.median(known)), "max": float(known.max())}
