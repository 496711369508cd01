"""Divide files into those to train on and those held out."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import Any, overload

import numpy as np

from kmatgen.data.micrographs import Micrograph, Micrographs
from kmatgen.errors import InputError


@overload
def split_files(files: Micrographs, test_fraction: float = ..., seed: int = ...) -> tuple[Micrographs, Micrographs]: ...
@overload
def split_files(
    files: Sequence[str | os.PathLike[str]], test_fraction: float = ..., seed: int = ...
) -> tuple[list[str | os.PathLike[str]], list[str | os.PathLike[str]]]: ...
def split_files(files: Any, test_fraction: float = 0.2, seed: int = 0) -> tuple[Any, Any]:
    """Divide by file: pages and patches of a file, and copies of it, are never on both sides.

    Args:
        files: Micrographs, or a list of paths.
        test_fraction: The share of the files held back, above 0 and below 1; at least one file goes to each side.
        seed: Another seed, another division.

    Returns:
        The training and the test part, each in the order of `files`: Micrographs for Micrographs, else lists.

    Raises:
        InputError: The fraction is out of range, a file cannot be read, or there are not two different files.
    """
    if not 0.0 < test_fraction < 1.0:
        raise InputError(f"test_fraction must be above 0 and below 1. Received: {test_fraction!r}.")
    items = list(files)
    keys = [item.sha256 if isinstance(item, Micrograph) else _file_hash(item) for item in items]
    groups = list(dict.fromkeys(keys))
    if len(groups) < 2:
        raise InputError(
            f"split_files needs at least two files that differ. Received: {len(items)} files, {len(groups)} different."
        )
    count = min(max(round(test_fraction * len(groups)), 1), len(groups) - 1)
    chosen = np.random.default_rng(seed).permutation(len(groups))[:count]
    test = {groups[index] for index in chosen}
    parts = (
        [item for item, key in zip(items, keys, strict=True) if key not in test],
        [item for item, key in zip(items, keys, strict=True) if key in test],
    )
    if isinstance(files, Micrographs):
        return tuple(Micrographs(part, files.folder, files.refused) for part in parts)
    return parts


def _file_hash(path: str | os.PathLike[str]) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} must be a file that can be read. Received: {error.strerror}.") from error
