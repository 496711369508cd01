"""A folder of micrographs: what is in it, what of it can be used, and how it is divided."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from tqdm import tqdm

from kmatgen.data.databar import find_data_bar
from kmatgen.data.pixelsize import pixel_size, read_metadata
from kmatgen.data.reading import SUFFIXES, native_decoder, read_pages
from kmatgen.errors import InputError

_THREADS = 4  # each holds the pixels of one file; more would only fight for the interpreter
_BLOCK = 256  # files handed to the threads at once, so that 100,000 of them do not queue up in memory


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


def find_micrographs(
    folder: str | os.PathLike[str],
    *,
    metadata: str | os.PathLike[str] | None = None,
    crop_data_bar: bool = True,
    strict: bool = False,
    progress: bool = False,
    channels: int | None = None,
) -> Micrographs:
    """Look at every image file below a folder, one at a time, and say which can be used.

    Files are images by their suffix (.bmp, .jpeg, .jpg, .png, .tif, .tiff); hidden ones are passed over.

    Args:
        folder: Where to look, subfolders included.
        metadata: A csv table with scale bars or pixel sizes (see `pixel_size`). Defaults to the folder's
            `metadata.csv`, if it has one.
        crop_data_bar: Leave out the instrument's data bar at the bottom of an image.
        strict: Raise at the first image file that cannot be used, instead of collecting it in `refused`.
        progress: Show a progress bar.
        channels: None takes the images as they are, and they must agree; 1 turns colour into luminance;
            3 repeats grey.

    Returns:
        The usable images, sorted by path, page after page.

    Raises:
        InputError: No such folder, nothing usable in it, or images that disagree in their channels.
    """
    folder = Path(folder)
    check_channels(channels)
    paths = _image_files(folder)
    if metadata is None and (folder / "metadata.csv").is_file():
        metadata = folder / "metadata.csv"
    found, refused = inspect_files(
        paths, None if metadata is None else read_metadata(metadata), crop_data_bar, strict, progress, channels
    )
    if not found:
        raise InputError(
            f"The folder {folder} must hold at least one usable image. Received: {len(refused)} image files, "
            f"all refused; the first: {refused[0].reason}"
        )
    return Micrographs(found, folder, refused)


def inspect_files(
    paths: Sequence[Path],
    metadata: dict[str, dict[str, str]] | None = None,
    crop_data_bar: bool = True,
    strict: bool = False,
    progress: bool = False,
    channels: int | None = None,
) -> tuple[list[Micrograph], list[Refused]]:
    """As `find_micrographs`, for given files: the usable images and the refused files, in the files' order."""

    def look(path: Path) -> list[Micrograph] | InputError:
        try:
            return _inspect(path, metadata, crop_data_bar, channels)
        except InputError as error:
            return error

    found: list[Micrograph] = []
    refused: list[Refused] = []
    with ThreadPoolExecutor(_THREADS) as pool, tqdm(total=len(paths), disable=not progress, unit="file") as bar:
        for start in range(0, len(paths), _BLOCK):
            block = paths[start : start + _BLOCK]
            for path, result in zip(block, pool.map(look, block), strict=True):
                bar.update()
                if not isinstance(result, InputError):
                    found += result
                elif strict:
                    raise result
                else:
                    refused.append(Refused(path, str(result)))
    _check_agreement(found)
    return found, refused


def check_channels(channels: int | None) -> None:
    """Refuse an option `channels` that is not None, 1 or 3."""
    if channels not in (None, 1, 3):
        raise InputError(f"channels must be None (as stored), 1 (luminance) or 3 (colour). Received: {channels!r}.")


def _image_files(folder: Path) -> list[Path]:
    if folder.is_file():
        raise InputError(f"find_micrographs needs a folder, for a file give its folder. Received: the file {folder}.")
    if not folder.is_dir():
        raise InputError(f"find_micrographs needs a folder that exists. Received: {folder}.")
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not _is_hidden(path.relative_to(folder))]
    if not files:
        raise InputError(
            f"The folder {folder} must hold image files ({', '.join(SUFFIXES)}). Received: an empty folder."
        )
    images = [path for path in files if path.suffix.lower() in SUFFIXES]
    if not images:
        kinds = ", ".join(sorted({path.suffix or path.name for path in files})[:8])
        raise InputError(f"The folder {folder} must hold image files ({', '.join(SUFFIXES)}). Received: only {kinds}.")
    return images


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _inspect(
    path: Path, metadata: dict[str, dict[str, str]] | None, crop_data_bar: bool, channels: int | None
) -> list[Micrograph]:
    pages = read_pages(path)
    contents = path.read_bytes()
    sha256, size = hashlib.sha256(contents).hexdigest(), len(contents)
    decoder = native_decoder(contents, pages[0])
    width_of_pixel = pixel_size(path, metadata)
    found = []
    for number, page in enumerate(pages):
        width, stored = page.shape[1:]
        if channels is not None and stored > 4:
            raise InputError(f"{path} must have 1 to 4 channels to be read as {channels}. Received: {stored} channels.")
        bar = find_data_bar(page) if crop_data_bar else None
        usable = page[:bar]
        found.append(
            Micrograph(
                path=path,
                page=number,
                height=usable.shape[0],
                width=width,
                channels=channels or stored,
                dtype=page.dtype,
                value_range=(usable.min().item(), usable.max().item()),
                data_bar=bar,
                pixel_size=width_of_pixel,
                sha256=sha256,
                stored_channels=stored,
                decoder=decoder,
                file_size=size,
            )
        )
    return found


def _check_agreement(found: Sequence[Micrograph]) -> None:
    counts = Counter(item.channels for item in found)
    if len(counts) > 1:
        rare = min(counts, key=lambda count: (counts[count], count))
        example = next(item.path for item in found if item.channels == rare)
        listed = ", ".join(f"{number} with {count}" for count, number in sorted(counts.items()))
        raise InputError(
            f"All images must have the same number of channels; channels=1 (luminance) or channels=3 (colour) makes "
            f"them agree. Received: {listed} (for instance {example} has {rare})."
        )


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())


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
