"""Patches of micrographs, streamed from their files as a `tf.data.Dataset`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from kmatgen.data.decoding import image_loader, image_table
from kmatgen.data.inspection import check_channels, inspect_files
from kmatgen.data.micrographs import Micrograph, Micrographs, Refused
from kmatgen.data.pipeline import map_with_draws
from kmatgen.data.ranges import check_whole_numbers
from kmatgen.errors import InputError

_AUGMENTS = ("flip_x", "flip_y", "quarter_turns")
_SMALL = 256 * 256  # pixels


class PatchCount(NamedTuple):
    """How many patches there will be, and which images are smaller than one."""

    total: int
    skipped: tuple[Micrograph, ...]


def micrograph_patches(
    files: Micrographs | Sequence[Micrograph | str | os.PathLike[str]],
    size: int = 64,
    *,
    stride: int | None = None,
    per_image: int | None = None,
    scale: str = "auto",
    augment: Sequence[str] = (),
    channels: int | None = None,
    seed: int = 0,
    first_epoch: int = 0,
    progress: bool = False,
) -> tf.data.Dataset:
    """Square patches of micrographs, without their data bars, one after the other.

    The files are read again at every pass, a few at a time, so memory does not grow with their number. By
    default an image is covered by tiles from its upper left corner; what remains at the right and at the bottom
    and is narrower than a patch is left out, as are images smaller than a patch.

    Random crops and augmentations follow from `seed` and the number of the pass, as in `kmatgen.data.batches`:
    the first pass over a new dataset is always the same, the second is different, and always the same.

    Args:
        files: What `find_micrographs` found, or a list of image files, which are inspected first.
        size: Side of a patch in pixels.
        stride: Pixels from one tile to the next. Defaults to `size`: tiles touch and do not overlap.
        per_image: Instead of tiles, this many crops at random places of every image.
        scale: How pixels become numbers from 0 to 1. `"auto"` divides 8-bit images by 255 and treats other
            depths as `"image"`, which takes every image from its own least to its own greatest value (a constant
            image becomes 0); `"type"` uses the full range of the integer type. Masks of the integers 0 and 1 stay so.
        augment: Any of `"flip_x"` (mirrors left and right), `"flip_y"` (mirrors top and bottom) and
            `"quarter_turns"`, drawn for each patch. None by default, as a material may have a direction.
        channels: 1 turns colour into luminance, 3 repeats grey; None leaves it as the files were inspected.
        seed: Seed of crops and augmentations.
        first_epoch: Number of passes already seen by a run that is resumed.
        progress: Show a progress bar while files given as paths are inspected.

    Returns:
        A dataset of known length of float32 tensors (size, size, channels) in [0, 1].

    Raises:
        InputError: An option is out of range, the files cannot be used together, or no image holds a patch.
    """
    _check(size, stride, per_image, scale, augment, channels)
    items = _inspected(files, channels, progress)
    total = patch_count(items, size, stride, per_image).total
    used = [item for item in items if _least_side(item) >= size]
    if not used:
        raise _none_fits(items, size)
    columns, constants = image_table(used, scale)
    load = image_loader(used, constants, channels)
    table, parallel = tf.data.Dataset.from_tensor_slices(columns), _parallel(used)
    if per_image or augment:
        cut = _cropper(size, per_image) if per_image else _tiler(size, stride or size)
        patches = map_with_draws(
            table, lambda row, key: _augmented(cut(load(row), key), augment, key), seed, first_epoch, **parallel
        ).unbatch()
    elif len(used) == total:
        patches = table.map(_corner(load, used, size), **parallel)
    else:
        tiles = _tiler(size, stride or size)
        patches = table.map(lambda row: tiles(load(row), None), **parallel).unbatch()
    return patches.apply(tf.data.experimental.assert_cardinality(total))


def patch_count(
    files: Micrographs | Sequence[Micrograph], size: int = 64, stride: int | None = None, per_image: int | None = None
) -> PatchCount:
    """The number of patches `micrograph_patches` gives, and the images it skips as they are too small.

    Args:
        files: What `find_micrographs` found.
        size: Side of a patch in pixels.
        stride: Pixels from one tile to the next. Defaults to `size`.
        per_image: Random crops of every image, instead of tiles.
    """
    _check(size, stride, per_image)
    skipped = tuple(item for item in files if _least_side(item) < size)
    return PatchCount(sum(_patches_of(item, size, stride, per_image) for item in files), skipped)


def large_enough(files: Micrographs, size: int, strict: bool = False) -> Micrographs:
    """The micrographs that hold a patch; the others are among those refused.

    Args:
        files: What `find_micrographs` found.
        size: Side of a patch in pixels.
        strict: Raise at the first that is too small.

    Raises:
        InputError: One is too small, with `strict`; or all are.
    """
    skipped = patch_count(files, size).skipped
    if len(skipped) == len(files):
        raise _none_fits(files, size)
    if strict and skipped:
        raise _too_small(skipped[0], size, "every image with strict; use a smaller size or leave the image out")
    refused = [Refused(item.path, str(_too_small(item, size, "an image"))) for item in skipped]
    kept = (item for item in files if _least_side(item) >= size)
    return Micrographs(kept, files.folder, (*files.refused, *refused))


def patch_owners(
    files: Micrographs | Sequence[Micrograph], size: int = 64, stride: int | None = None, per_image: int | None = None
) -> np.ndarray:
    """The file that each patch of `micrograph_patches` is cut from, as its number among the different files.

    Pages and copies of a file count as one image, as in `split_files`.

    Args:
        files: What `find_micrographs` found.
        size: Side of a patch in pixels.
        stride: Pixels from one tile to the next. Defaults to `size`.
        per_image: Random crops of every image, instead of tiles.

    Returns:
        int64 of the number of patches, in their order.
    """
    _check(size, stride, per_image)
    numbers = {key: number for number, key in enumerate(dict.fromkeys(item.sha256 for item in files))}
    counts = [_patches_of(item, size, stride, per_image) for item in files]
    return np.repeat([numbers[item.sha256] for item in files], counts)


def _least_side(item: Micrograph) -> int:
    return min(item.height, item.width)


def _too_small(item: Micrograph, size: int, where: str, which: str = "") -> InputError:
    return InputError(
        f"A patch of {size} x {size} pixels must fit into {where}. "
        f"Received: {item.path} with {item.height} x {item.width} pixels above the data bar{which}."
    )


def _none_fits(items: Sequence[Micrograph], size: int) -> InputError:
    return _too_small(max(items, key=_least_side), size, "at least one image; use a smaller size", " as the largest")


def _patches_of(item: Micrograph, size: int, stride: int | None, per_image: int | None) -> int:
    if _least_side(item) < size:
        return 0
    step = stride or size
    return per_image or ((item.height - size) // step + 1) * ((item.width - size) // step + 1)


def _parallel(items: Sequence[Micrograph]) -> dict[str, Any]:
    """How many images are in work at once, in the order of the files.

    Many small ones hide the time that opening a file takes, and tf.data's own tuning is slow to find that out;
    of large ones no more than it wants, as each takes memory.
    """
    small = max(item.height * item.width for item in items) <= _SMALL
    return {"num_parallel_calls": 4 * (os.cpu_count() or 1) if small else tf.data.AUTOTUNE, "deterministic": True}


def _check(
    size: int,
    stride: int | None,
    per_image: int | None,
    scale: str = "auto",
    augment: Sequence[str] = (),
    channels: int | None = None,
) -> None:
    counts = {"size": size, "stride": stride, "per_image": per_image}
    check_whole_numbers(**{name: (value, 1) for name, value in counts.items() if value is not None})
    if stride is not None and per_image is not None:
        raise InputError(f"stride is for tiles and per_image for random crops. Received: {stride=} and {per_image=}.")
    if scale not in ("auto", "image", "type"):
        raise InputError(f"scale must be 'auto', 'image' or 'type'. Received: {scale!r}.")
    if isinstance(augment, str) or not set(augment) <= set(_AUGMENTS):
        raise InputError(f"augment must be a list of any of {', '.join(_AUGMENTS)}. Received: {augment!r}.")
    check_channels(channels)


def _inspected(
    files: Sequence[Micrograph | str | os.PathLike[str]], channels: int | None, progress: bool
) -> list[Micrograph]:
    """Micrographs of what was given, which agree in their channels."""
    if isinstance(files, (str, os.PathLike)):
        raise InputError(f"files must be what find_micrographs found, or a list of files. Received: {files!r}.")
    items = list(files)
    if not items:
        raise InputError("files must hold at least one micrograph. Received: none.")
    if not all(isinstance(item, Micrograph) for item in items):
        items, _ = inspect_files([Path(item) for item in items], strict=True, progress=progress, channels=channels)
    counts = {item.channels: item.path for item in items}
    if channels is None and len(counts) > 1:
        listed = ", ".join(f"{count} in {path}" for count, path in sorted(counts.items()))
        raise InputError(f"All images must have the same number of channels; use channels=1 or 3. Received: {listed}.")
    many = next((item for item in items if item.stored_channels > 4), None)
    if channels is not None and many is not None:
        raise InputError(
            f"{many.path} must have 1 to 4 channels to be read with channels={channels}. "
            f"Received: {many.stored_channels} channels."
        )
    return items


def _corner(load: Callable[[dict], tf.Tensor], items: Sequence[Micrograph], size: int) -> Callable[[dict], tf.Tensor]:
    """A function from a row of the table to the only tile of its image: small ones, where every operation counts."""
    exact = all(item.height == item.width == size for item in items)

    def cut(row: dict) -> tf.Tensor:
        patch = load(row) if exact else load(row)[:size, :size]
        patch.set_shape((size, size, None))
        return patch

    return cut


def _tiler(size: int, stride: int) -> Callable[[tf.Tensor, tf.Tensor | None], tf.Tensor]:
    """A function from an image to its tiles, row by row: (tiles, size, size, channels)."""

    def cut(image: tf.Tensor, key: tf.Tensor | None) -> tf.Tensor:
        del key
        channels = image.shape[2]
        if stride == size:  # moving axes is much faster than gathering windows
            rows, columns = tf.shape(image)[0] // size, tf.shape(image)[1] // size
            image = tf.reshape(image[: rows * size, : columns * size], (rows, size, columns, size, channels))
            return tf.reshape(tf.transpose(image, (0, 2, 1, 3, 4)), (-1, size, size, channels))
        square, step = (1, size, size, 1), (1, stride, stride, 1)
        return tf.reshape(
            tf.image.extract_patches(image[None], square, step, (1, 1, 1, 1), "VALID"), (-1, size, size, channels)
        )

    return cut


def _cropper(size: int, count: int) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """A function from an image to crops at random places: (count, size, size, channels)."""

    def cut(image: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        room = tf.shape(image)[:2] - size + 1
        where = tf.random.stateless_uniform((count, 2), key)
        corners = tf.minimum(tf.cast(where * tf.cast(room, tf.float32), tf.int32), room - 1)
        inside = tf.range(size)
        rows = (corners[:, :1] + inside)[:, :, None]
        columns = (corners[:, 1:] + inside)[:, None, :]
        flat = tf.reshape(image, (-1, image.shape[2]))
        return tf.gather(flat, rows * tf.shape(image)[1] + columns)

    return cut


def _augmented(patches: tf.Tensor, augment: Sequence[str], key: tf.Tensor) -> tf.Tensor:
    """Mirror and turn each patch of a stack by its own draw."""
    count = tf.shape(patches)[0]

    def drawn(purpose: int, choices: int) -> tf.Tensor:
        own = key + tf.constant([0, purpose], tf.int64)
        return tf.random.stateless_uniform((count, 1, 1, 1), own, 0, choices, tf.int32)

    if "flip_x" in augment:
        patches = tf.where(drawn(1, 2) == 1, tf.reverse(patches, [2]), patches)
    if "flip_y" in augment:
        patches = tf.where(drawn(2, 2) == 1, tf.reverse(patches, [1]), patches)
    if "quarter_turns" in augment:
        turns = drawn(3, 4)
        patches = tf.where(turns >= 2, tf.reverse(patches, [1, 2]), patches)
        patches = tf.where(turns % 2 == 1, tf.reverse(tf.transpose(patches, (0, 2, 1, 3)), [1]), patches)
    return patches
