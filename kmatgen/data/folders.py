"""Folders of data: whether they are there, and the files in them."""

from __future__ import annotations

import os
from pathlib import Path, PurePath

from kmatgen.errors import InputError

# Sources of data that are no folders or files; after a colon some take more.
_NAMED = ("polycrystal", "phases", "digits", "tfds", "prototypes")


def check_source(source: str) -> None:
    """Make sure that the source of a configuration's data has one of the known names, or exists.

    Raises:
        InputError: It is neither.
    """
    if not source or (str(source).partition(":")[0] not in _NAMED and not Path(source).exists()):
        raise InputError(
            "Data are polycrystal, phases, digits, tfds:NAME, prototypes, a folder of micrographs or of crystals, or a "
            f"csv table of crystals. Received: {source}, which does not exist."
        )


def files_below(folder: Path) -> list[Path]:
    """The files below a folder in the order of their paths, hidden ones passed over.

    Links to folders are followed, but no folder is entered twice, so that a link to a folder above ends.
    """
    files: list[Path] = []
    entered = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        place = os.path.realpath(parent)
        if place in entered:
            folders.clear()
            continue
        entered.add(place)
        folders.sort()  # the order decides by which of two links a folder is entered
        files += [Path(parent, name) for name in names]
    return sorted(path for path in files if path.is_file() and not is_hidden(path.relative_to(folder)))


def is_hidden(path: PurePath) -> bool:
    """Whether a path below a folder of data is no data: hidden, or what macOS puts into archives."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
