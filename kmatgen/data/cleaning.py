"""The cleaning report: which entries of a collection were refused, and why."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kmatgen.errors import InputError

# The reasons, in the order in which an entry is examined.
EMPTY = "empty"
UNREADABLE = "unreadable"
MISSING_COORDINATES = "missing coordinates"
UNKNOWN_ELEMENT = "unknown element"
DISORDERED = "disordered"
MISSING_ATOMS = "missing atoms"
TOO_MANY_SITES = "too many sites"
ZERO_VOLUME = "zero volume"
OVERLAPPING_SITES = "overlapping sites"
NO_SYMMETRY = "no symmetry found"
DUPLICATE = "duplicate"
REASONS = (
    EMPTY,
    UNREADABLE,
    MISSING_COORDINATES,
    UNKNOWN_ELEMENT,
    DISORDERED,
    MISSING_ATOMS,
    TOO_MANY_SITES,
    ZERO_VOLUME,
    OVERLAPPING_SITES,
    NO_SYMMETRY,
    DUPLICATE,
)
_COLUMNS = ("origin", "reason", "detail")  # of a report as csv


@dataclass(frozen=True, slots=True)
class RefusedEntry:
    """An entry that cannot be used: where it stands, one of `REASONS`, and what exactly is wrong."""

    origin: str
    reason: str
    detail: str


class Refusal(Exception):
    """Raised while one entry is read; it becomes a row of the report and is never shown to the user."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def at(self, origin: str) -> RefusedEntry:
        """The row of the report."""
        return RefusedEntry(origin, self.reason, self.detail)


class CleaningReport(Sequence[RefusedEntry]):
    """Every refused entry of a collection with its reason.

    Args:
        refused: The refused entries.
        accepted: Number of entries that can be used.
    """

    def __init__(self, refused: Iterable[RefusedEntry] = (), accepted: int = 0) -> None:
        self._refused = tuple(refused)
        self.accepted = accepted

    def __len__(self) -> int:
        return len(self._refused)

    def __getitem__(self, index: int) -> RefusedEntry:
        return self._refused[index]

    def __iter__(self) -> Iterator[RefusedEntry]:
        return iter(self._refused)

    @property
    def counts(self) -> dict[str, int]:
        """Number of refused entries for each reason that occurs, in the order of `REASONS`."""
        found = Counter(entry.reason for entry in self)
        return {reason: found[reason] for reason in REASONS if found[reason]}

    def __str__(self) -> str:
        counts = "; ".join(f"{reason}: {count}" for reason, count in self.counts.items())
        return f"{self.accepted} crystals accepted, {len(self)} refused" + (f" ({counts})" if counts else "")

    def as_csv(self) -> str:
        """A row for each refused entry: origin, reason, detail."""
        text = io.StringIO(newline="")
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(_COLUMNS)
        rows.writerows((entry.origin, entry.reason, entry.detail) for entry in self)
        return text.getvalue()

    def write_csv(self, path: str | os.PathLike[str]) -> Path:
        """Write `as_csv` into a file, and return its path."""
        path = Path(path)
        path.write_text(self.as_csv(), encoding="utf-8")
        return path


def check_report_file(path: str | os.PathLike[str]) -> None:
    """Refuse a file that a report would overwrite, unless it is an earlier report.

    Raises:
        InputError: It is something else, or its folder does not exist.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(f"The report goes into a folder that exists. Received: {path}.")
    heading = ",".join(_COLUMNS).encode()
    if path.exists() and not (path.is_file() and path.read_bytes()[: len(heading)] == heading):
        raise InputError(f"The report goes to a new file, or over an earlier report. Received: {path}, another file.")
