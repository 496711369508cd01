"""The kinds of micrographs: by subfolder, or by a column of their table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kmatgen.data.micrographs import Micrograph, Micrographs
from kmatgen.data.pixelsize import metadata_row, read_metadata
from kmatgen.data.splits import split_files
from kmatgen.errors import InputError


def kinds_of(
    paths: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    column: str | None = None,
    metadata: str | os.PathLike[str] | None = None,
) -> list[str | None]:
    """The kind of each image.

    Args:
        paths: The images.
        folder: The folder that they are below.
        column: Column of the table that names the kind. None: the subfolder of `folder` does.
        metadata: The table, a csv file; see `read_metadata`. Defaults to the folder's `metadata.csv`.

    Returns:
        A name for each image, None where there is none.

    Raises:
        InputError: There is no such table, or no such column in it.
    """
    if column is None:
        folders = [Path(path).relative_to(folder).parts[:-1] for path in paths]
        return [parts[0] if parts else None for parts in folders]
    table = read_metadata(metadata or Path(folder) / "metadata.csv")
    columns = next(iter(table.values()), {})
    if column not in columns:
        raise InputError(f"A column that names the class is one of {', '.join(columns)}. Received: {column!r}.")
    return [metadata_row(Path(path), table).get(column) or None for path in paths]


class Kinds:
    """Which of the kinds of a folder each micrograph is.

    Args:
        files: Micrographs.
        column: See `kinds_of`.
        metadata: See `kinds_of`.

    Attributes:
        names: The kinds, sorted; a class id is the place in this list.

    Raises:
        InputError: A micrograph has no kind, or all have the same.
    """

    def __init__(
        self, files: Micrographs, column: str | None = None, metadata: str | os.PathLike[str] | None = None
    ) -> None:
        found = kinds_of([file.path for file in files], files.folder, column, metadata)
        where = "in a subfolder for each class" if column is None else f"with a class in column {column!r}"
        for file, kind in zip(files, found, strict=True):
            if kind is None:
                raise InputError(
                    f"data.condition=class needs every image {where}, or data.micrographs.class_column, a column of "
                    f"metadata.csv. Received: {file.path}."
                )
        self.names = sorted(set(found))
        if len(self.names) < 2:
            raise InputError(f"data.condition=class needs at least two classes. Received: {self.names[0]} alone.")
        self._of = dict(zip((file.sha256 for file in files), map(self.names.index, found), strict=True))

    def split(self, files: Micrographs, test_fraction: float, seed: int) -> tuple[Micrographs, Micrographs]:
        """As `split_files`, of each kind apart, so that all can be learnt; a kind of one image is not held out."""
        held_out: set[str] = set()
        for number in range(len(self.names)):
            own = [file for file in files if self._of[file.sha256] == number]
            if len({file.sha256 for file in own}) > 1:
                _, test = split_files(Micrographs(own, files.folder, []), test_fraction, seed)
                held_out |= {file.sha256 for file in test}
        if not held_out:
            raise InputError(
                f"One class at least needs two images, so that one can be held out. Received: {len(self.names)} "
                "classes of one image each."
            )
        parts = [file for file in files if file.sha256 not in held_out], [f for f in files if f.sha256 in held_out]
        return tuple(Micrographs(part, files.folder, files.refused) for part in parts)

    def labels(self, files: Sequence[Micrograph], owners: np.ndarray) -> np.ndarray:
        """The class id of each patch, int32, from the owners that `patch_owners` gives for the files."""
        numbers = [self._of[key] for key in dict.fromkeys(file.sha256 for file in files)]
        return np.asarray(numbers, np.int32)[owners]
