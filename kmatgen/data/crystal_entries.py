"""What a collection of crystals is made of: a folder, a csv table, structures, or pymatgen's prototypes."""

from __future__ import annotations

import contextlib
import csv
import gzip
import importlib.util
import itertools
import json
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kmatgen.data.crystal_files import NAMES, SUFFIXES, Entry, file_kind, numbers_in, text_kind
from kmatgen.data.folders import files_below
from kmatgen.errors import InputError

if TYPE_CHECKING:
    from pymatgen.core import Structure

_MISSING = ("", "NA", "N/A", "None", "null")  # besides what `float` takes for nan
_BEGINNING = 4096  # bytes that tell text from something else
_LONGEST_FIELD = 2**31 - 1  # characters; more does not fit into the number of 32 bits that some systems have for it
_LOOKED_AT = 20  # texts of a column that are looked at to tell what it holds


def find_entries(source: str | os.PathLike[str] | Iterable[Structure], column: str | None = None) -> list[Entry]:
    """List what there is to read, without reading the crystals.

    Args:
        source: As in `read_crystals`.
        column: As in `read_crystals`.

    Raises:
        InputError: The source does not exist, holds nothing, or lacks the column.
    """
    if not isinstance(source, (str, os.PathLike)):
        return _from_structures(source)
    path = Path(source)
    if str(path) == "prototypes" and not path.exists():
        return prototypes()
    if path.is_dir():
        return _from_folder(path, column)
    if not path.is_file():
        raise InputError(
            f"Crystals come from a folder, a csv table, 'prototypes' or a list of structures. "
            f"Received: {path}, which does not exist."
        )
    kind = file_kind(path)
    return [Entry(path.name, path, kind)] if kind else _from_csv(path, column)


def holds_crystals(source: str | os.PathLike[str]) -> bool:
    """Whether a source is one for `read_crystals`, rather than a folder of images: by what most of its files are."""
    from kmatgen.data.reading import SUFFIXES as IMAGES

    path = Path(source)
    if not path.is_dir():
        return (path.is_file() and path.suffix.lower() not in IMAGES) or str(source) == "prototypes"
    crystals = sum(1 for _ in crystal_paths(path))
    images = sum(1 for file in files_below(path) if file.suffix.lower() in IMAGES)
    return crystals > images or (not images and any(path.glob("*.csv")))


def prototypes() -> list[Entry]:
    """The structure prototypes that pymatgen ships: 288 ordered crystals of the AFLOW library.

    Mehl et al., The AFLOW library of crystallographic prototypes: part 1, Comput. Mater. Sci. 136, S1 (2017).
    """
    from pymatgen.core import Structure

    # Read from its file: pymatgen's own module takes seconds to load the same.
    spec = importlib.util.find_spec("pymatgen.analysis")
    folders = spec.submodule_search_locations if spec else []
    files = [path for folder in folders for path in sorted(Path(folder).rglob("aflow_prototypes.json*"))]
    if not files:
        raise InputError("The prototypes come with pymatgen. Received: a pymatgen without aflow_prototypes.json.")
    text = gzip.decompress(files[0].read_bytes()) if files[0].suffix == ".gz" else files[0].read_bytes()
    rows = json.loads(text)
    return [Entry(f"prototype {row['tags']['aflow']}", Structure.from_dict(row["snl"]), "structure") for row in rows]


def crystal_paths(folder: Path) -> Iterator[Path]:
    """The crystal files below a folder in the order of their names; hidden ones are passed over."""
    return filter(file_kind, files_below(folder))


def _from_folder(folder: Path, column: str | None) -> list[Entry]:
    entries = [Entry(str(path.relative_to(folder)), path, file_kind(path)) for path in crystal_paths(folder)]
    if entries:
        return entries
    tables = sorted(folder.glob("*.csv"))
    if len(tables) == 1:
        return _from_csv(tables[0], column)
    found = f"with {', '.join(table.name for table in tables)}; name one of these" if tables else "without any"
    raise InputError(
        f"A folder of crystals holds {', '.join(SUFFIXES)} or POSCAR files, or one csv table. "
        f"Received: {folder} {found}."
    )


def _from_structures(structures: Iterable[Structure]) -> list[Entry]:
    entries: list[Entry] = []
    columns: dict[str, float] = {}
    for row, structure in enumerate(structures):
        notes = getattr(structure, "properties", None)
        if notes is None:
            raise InputError(f"A list of crystals holds pymatgen structures. Received: {type(structure).__name__}.")
        numbers = numbers_in(notes)
        columns |= dict.fromkeys(numbers, np.nan)
        entries.append(Entry(str(notes.get("origin", f"structure {row}")), structure, "structure", numbers))
    if not entries:
        raise InputError("A list of crystals holds at least one structure. Received: an empty list.")
    return [entry._replace(properties={**columns, **entry.properties}) for entry in entries]


def _from_csv(path: Path, column: str | None) -> list[Entry]:
    columns = _read_csv(path)
    texts = columns[_crystal_column(columns, path, column)]
    kind = next(filter(None, map(text_kind, itertools.islice(filter(None, texts), _LOOKED_AT))), "poscar")
    numbers = _numeric_columns(columns)
    names = next((columns[name] for name in NAMES if name in columns), None)
    labels = [f" ({name})" for name in names] if names else [""] * len(texts)
    properties = [dict(zip(numbers, row, strict=True)) for row in zip(*numbers.values(), strict=True)]
    return [
        Entry(f"{path.name} row {row}{label}", text, kind, values)
        for row, (text, label, values) in enumerate(
            zip(texts, labels, properties or [{}] * len(texts), strict=True), start=1
        )
    ]


def _read_csv(path: Path) -> dict[str, Sequence[str]]:
    """The columns of a table as text, by the names in its header; the standard library reads it faster than pandas."""
    with path.open("rb") as file:
        if b"\0" in file.read(_BEGINNING):
            raise InputError(f"A table of crystals is a csv file of plain text. Received: {path}, which is none.")
    limit = csv.field_size_limit(_LONGEST_FIELD)
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            header, *rows = csv.reader(file, skipinitialspace=True, strict=True)
    except (csv.Error, ValueError) as error:
        raise InputError(
            f"A table of crystals is a csv file with a header and commas between columns. Received: {path}: {error}."
        ) from error
    finally:
        csv.field_size_limit(limit)
    rows = [row for row in rows if row]
    wrong = next((number for number, row in enumerate(rows, start=1) if len(row) != len(header)), None)
    if wrong is not None or not rows:
        found = "no rows" if wrong is None else f"row {wrong} with {len(rows[wrong - 1])} values"
        raise InputError(f"{path} needs rows with a value for each of its {len(header)} columns. Received: {found}.")
    return dict(zip(header, zip(*rows, strict=True), strict=True))


def _crystal_column(columns: dict[str, Sequence[str]], path: Path, column: str | None) -> str:
    listed = ", ".join(columns)
    if column is not None:
        if column not in columns:
            raise InputError(f"{path} has the columns {listed}. Received: column={column!r}.")
        return column
    for name, texts in columns.items():
        if any(map(text_kind, itertools.islice(filter(None, texts), _LOOKED_AT))):
            return name
    raise InputError(
        f"No column of the table holds CIF or JSON texts; name one with `column`. Received: {path} with {listed}."
    )


def _numeric_columns(columns: dict[str, Sequence[str]]) -> dict[str, list[float]]:
    """Columns of numbers as properties; not those without a header, which number the rows, and not names."""
    found = {}
    for name, texts in columns.items():
        if name and name not in NAMES:
            with contextlib.suppress(ValueError):
                numbers = [math.nan if text.strip() in _MISSING else float(text) for text in texts]
                if not all(map(math.isnan, numbers)):
                    found[name] = numbers
    return found
