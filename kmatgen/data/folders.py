"""Folders of data: what is passed over in them."""

from __future__ import annotations

from pathlib import PurePath


def is_hidden(path: PurePath) -> bool:
    """Whether a path below a folder of data is no data: hidden, or what macOS puts into archives."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
