"""What is known of the micrographs of a folder; their pixels stay in the files."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np


@dataclass(frozen=True, slots=True)
class Micrograph:
    """One usable page of an image file; its pixels stay in the file.

    `height` counts the rows above the data bar, and `value_range` is the least and greatest pixel among them.
    `channels` is what a reader is to deliver, `stored_channels` what `read_pages` gives. `decoder` is "png",
    "jpeg" or "bmp" if TensorFlow's op decodes the same pixels, else "". `file_size` is in bytes, `pixel_size`
    in micrometres, `sha256` over the file's bytes.
    """

    path: Path
    page: int
    height: int
    width: int
    channels: int
    dtype: np.dtype
    value_range: tuple[float, float]
    data_bar: int | None
    pixel_size: float | None
    sha256: str
    stored_channels: int
    decoder: str
    file_size: int


@dataclass(frozen=True, slots=True)
class Refused:
    """An image file that cannot be used, and why."""

    path: Path
    reason: str


class Micrographs(Sequence[Micrograph]):
    """The usable micrographs of a folder, in the order of their names.

    Args:
        micrographs: The micrographs.
        folder: Where they were found.
        refused: The image files that cannot be used.
    """

    def __init__(
        self,
        micrographs: Iterable[Micrograph],
        folder: Path | None = None,
        refused: Iterable[Refused] = (),
    ) -> None:
        self._items = tuple(micrographs)
        self.folder = folder
        self.refused = tuple(refused)

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Micrograph: ...
    @overload
    def __getitem__(self, index: slice) -> Micrographs: ...
    def __getitem__(self, index: int | slice) -> Micrograph | Micrographs:
        if isinstance(index, slice):
            return Micrographs(self._items[index], self.folder, self.refused)
        return self._items[index]

    def __iter__(self) -> Iterator[Micrograph]:
        return iter(self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Micrographs) and self._items == other._items

    def __hash__(self) -> int:
        return hash(self._items)

    def __repr__(self) -> str:
        return f"Micrographs({len(self)} images in {self.folder}, {len(self.refused)} refused)"

    @property
    def content_hash(self) -> str:
        """One sha256 over the bytes of all files: the same for the same data under any name."""
        hashes = sorted({(item.sha256, item.page) for item in self})
        return hashlib.sha256("\n".join(f"{sha} {page}" for sha, page in hashes).encode()).hexdigest()

    def describe(self) -> dict[str, Any]:
        """Counts, sizes, depths, data bars and pixel sizes, ready for JSON."""
        known = [item.pixel_size for item in self if item.pixel_size is not None]
        bars = Counter(str(item.data_bar) for item in self if item.data_bar is not None)
        return {
            "folder": str(self.folder),
            "files": len({item.path for item in self}),
            "images": len(self),
            "sizes": _counts(f"{item.width} x {item.height}" for item in self),
            "bit_depths": _counts(str(item.dtype) for item in self),
            "channels": _counts(str(item.channels) for item in self),
            "pixel_values": {
                "min": min(item.value_range[0] for item in self),
                "max": max(item.value_range[1] for item in self),
            },
            "data_bars": {"found": sum(bars.values()), "first_rows": _counts(bars.elements())},
            "pixel_size_um": {
                "known": len(known),
                "min": min(known, default=None),
                "median": float(np.median(known)) if known else None,
                "max": max(known, default=None),
            },
            "content_hash": self.content_hash,
            "refused": [{"file": str(item.path), "reason": item.reason} for item in self.refused],
        }


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())
