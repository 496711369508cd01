"""Large collections read part by part, each kept in a file, so that an interrupted run goes on where it stopped.

A part is named by a hash of all that it is made of, entries and options: a part whose file is there is done, and one
whose entries have changed is another part. Folders may be anywhere that `etils.epath` reaches, which is where the
workers of a cluster find them.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from etils import epath

from kmatgen.data.cleaning import RefusedEntry
from kmatgen.data.crystal_cif_text import plain_text
from kmatgen.data.crystal_files import Entry, reason_of
from kmatgen.data.crystal_reading import ReadOptions, Share, read_entries
from kmatgen.files import completed
from kmatgen.representations.table_files import table_from_bytes, table_to_bytes

PART = 1000  # entries


def write_parts(entries: Sequence[Entry], options: ReadOptions, folder: epath.PathLike, size: int = PART) -> list[str]:
    """Write down what each part has to read, unless it is written already.

    Args:
        entries: What to read.
        options: What to make of it.
        folder: Where the parts are kept.
        size: Entries in a part.

    Returns:
        The names of the parts, in the order of the entries.
    """
    folder = epath.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for number, start in enumerate(range(0, len(entries), size)):
        rows = list(_as_rows(entries[start : start + size]))
        content = json.dumps({"options": asdict(options), "entries": rows}).encode()
        name = f"{number:05d}-{hashlib.sha256(content).hexdigest()[:16]}"
        if not _entries_file(folder, name).exists():
            _write(_entries_file(folder, name), gzip.compress(content, 1))
        names.append(name)
    return names


def read_part(name: str, folder: epath.PathLike) -> str:
    """Read the crystals of a part, unless that is done; returns its name."""
    folder = epath.Path(folder)
    if not _report_file(folder, name).exists():
        written = json.loads(gzip.decompress(_entries_file(folder, name).read_bytes()))
        share = read_entries([Entry(*row) for row in written["entries"]], ReadOptions(**written["options"]))
        if share.table is not None:
            _write(_table_file(folder, name), table_to_bytes(share.table))
        refused = [[entry.origin, entry.reason, entry.detail] for entry in share.refused]
        report = {"refused": refused, "keys": [key.hex() for key in share.keys]}
        # Last, since this file says that the part is done.
        _write(_report_file(folder, name), gzip.compress(json.dumps(report).encode(), 1))
    return name


def load_part(name: str, folder: epath.PathLike) -> Share:
    """What `read_part` has made."""
    folder = epath.Path(folder)
    report = json.loads(gzip.decompress(_report_file(folder, name).read_bytes()))
    keys = [bytes.fromhex(key) for key in report["keys"]]
    table = table_from_bytes(_table_file(folder, name).read_bytes()) if keys else None
    return Share(table, [RefusedEntry(*row) for row in report["refused"]], keys)


def _as_rows(entries: Sequence[Entry]) -> Iterator[list[Any]]:
    """Entries with their content, so that other machines need not see the files they stand in."""
    for origin, content, kind, properties in entries:
        if isinstance(content, Path):
            try:
                found = content.read_bytes()
                # Names in JSON may hold any characters; only of a CIF is the encoding not known.
                content = plain_text(found) if kind == "cif" else found.decode("utf-8-sig", errors="replace")
            except OSError as error:
                content, kind = reason_of(error), "unreadable"
        if kind == "structure":
            content, kind = json.dumps(content.as_dict()), "json"
        yield [origin, content, kind, properties]


def _entries_file(folder: epath.Path, name: str) -> epath.Path:
    return folder / f"{name}.entries.json.gz"


def _table_file(folder: epath.Path, name: str) -> epath.Path:
    return folder / f"{name}.table.npz"


def _report_file(folder: epath.Path, name: str) -> epath.Path:
    return folder / f"{name}.report.json.gz"


def _write(path: epath.Path, content: bytes) -> None:
    """Write a file so that nobody ever sees half of it."""
    with completed(path) as partial:
        partial.write_bytes(content)
