"""Look at the image files of a folder: which can be used, and what is in them."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from kmatgen.data.databar import find_data_bar
from kmatgen.data.folders import files_below
from kmatgen.data.micrographs import Micrograph, Micrographs, Refused
from kmatgen.data.pixelsize import pixel_size, read_metadata
from kmatgen.data.reading import SUFFIXES, native_decoder, read_pages
from kmatgen.errors import InputError

_THREADS = 4  # each holds the pixels of one file; more would only fight for the interpreter
_BLOCK = 256  # files handed to the threads at once, so that 100,000 of them do not queue up in memory


def find_micrographs(
    folder: str | os.PathLike[str],
    *,
    metadata: str | os.PathLike[str] | None = None,
    crop_data_bar: bool = True,
    strict: bool = False,
    progress: bool = False,
    channels: int | None = None,
    mixed: bool = False,
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
        mixed: Take images that disagree in their channels, too: to describe them.

    Returns:
        The usable images, sorted by path, page after page.

    Raises:
        InputError: No such folder, nothing usable in it, or images that disagree in their channels.
    """
    folder = Path(folder)
    check_channels(channels)
    paths = image_files(folder)
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
    if not mixed:
        _check_agreement(found)
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
    return found, refused


def check_channels(channels: int | None) -> None:
    """Refuse an option `channels` that is not None, 1 or 3."""
    if channels not in (None, 1, 3):
        raise InputError(f"channels must be None (as stored), 1 (luminance) or 3 (colour). Received: {channels!r}.")


def image_files(folder: Path) -> list[Path]:
    """The files of a folder, subfolders included, that are images by their names.

    Raises:
        InputError: There is no such folder, or no such file in it.
    """
    if folder.is_file():
        raise InputError(f"Micrographs are given as the folder that they are in. Received: the file {folder}.")
    if not folder.is_dir():
        raise InputError(
            f"Micrographs are given as the folder that they are in. Received: {folder}, which does not exist."
        )
    files = files_below(folder)
    images = [path for path in files if path.suffix.lower() in SUFFIXES]
    if not images:
        from kmatgen.data.crystal_files import SUFFIXES as CRYSTALS

        kinds = ", ".join(sorted({path.suffix or path.name for path in files})[:8])
        raise InputError(
            f"The folder {folder} must hold image files ({', '.join(SUFFIXES)}) or crystals ({', '.join(CRYSTALS)}). "
            f"Received: {f'only {kinds}' if files else 'an empty folder'}."
        )
    return images


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
            f"All images must have the same number of channels; train with --channels 1 (luminance) or 3 (colour), in "
            f"Python with channels=1 or 3, to make them agree. Received: {listed} (for instance {example} has {rare})."
        )
