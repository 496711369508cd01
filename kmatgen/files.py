"""Files that are complete or not there at all."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from etils import epath

# A local path, or one of `etils.epath` that lies anywhere.
SomePath = TypeVar("SomePath", bound="epath.Path")

# How a file begins that is being written, or was when its process was killed.
PARTIAL = ".partial_"


@contextmanager
def completed(path: SomePath) -> Iterator[SomePath]:
    """A context that gives a path to write to, which takes the place of a file once all of it is written.

    Where writing fails, the file stays as it was, and what was written of the other is removed.

    Args:
        path: The file; its folder is made where it is missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Two processes may write the same file. The ending stays: by it numpy and Keras know the format.
    partial = path.with_name(f"{PARTIAL}{uuid.uuid4().hex[:12]}_{path.name}")
    try:
        yield partial
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
