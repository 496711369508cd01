"""Folders of data: the files in them."""

from __future__ import annotations

import os
from pathlib import Path, PurePath


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
