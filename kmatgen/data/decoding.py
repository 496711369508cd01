"""Decode micrographs in a `tf.data` graph: by TensorFlow where it agrees with Pillow, else in Python."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from kmatgen.data.micrographs import Micrograph
from kmatgen.data.reading import read_page
from kmatgen.errors import InputError

_DARKEST = 8  # of 255: an image that is nowhere brighter shows nothing
_LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow and TensorFlow convert


def image_table(items: Sequence[Micrograph], scale: str) -> tuple[dict[str, np.ndarray], dict[str, np.generic]]:
    """What the graph must know of each image: columns, and what is the same for all, which need not be carried."""
    bounds = np.array([_bounds(item, scale) for item in items], np.float64)
    if scale == "auto":
        _check_brightness(items, bounds[:, 1])
    branches = {decoder: index for index, decoder in enumerate(_decoders(items))}
    table = {
        "path": np.array([os.fspath(item.path) for item in items], dtype=object),
        "page": np.array([item.page for item in items], np.int64),
        "height": np.array([item.height for item in items], np.int32),
        "low": bounds[:, 0],
        "high": bounds[:, 1],
        # Of 32 bits, as TensorFlow counts the bytes that it read.
        "file_size": np.array([min(item.file_size, 2**31 - 1) for item in items], np.int32),
        "branch": np.array([branches[_decoder(item)] for item in items], np.int32),
    }
    if all(item.data_bar is None for item in items):
        del table["height"]  # nothing is cut off
    constants = {name: values[0] for name, values in table.items() if name != "path" and (values == values[0]).all()}
    return {name: values for name, values in table.items() if name not in constants}, constants


def image_loader(
    items: Sequence[Micrograph], constants: dict[str, np.generic], channels: int | None
) -> Callable[[dict], tf.Tensor]:
    """A function from a row of the table to the whole image in [0, 1], float32 (height, width, channels)."""
    wanted = channels or items[0].channels

    def branch(decoder: _Decoder, row: dict) -> Callable[[], tf.Tensor]:
        read = _read_with_op if decoder.op else _read_with_python
        return lambda: _with_channels(read(decoder, row), wanted)

    decoders = _decoders(items)

    def load(row: dict) -> tf.Tensor:
        row = {**row, **constants}
        branches = [branch(decoder, row) for decoder in decoders]
        image = branches[0]() if len(branches) == 1 else tf.switch_case(row["branch"], branches)
        image.set_shape((None, None, wanted))
        return image

    return load


def _bounds(item: Micrograph, scale: str) -> tuple[float, float]:
    """The pixel values that become 0 and 1. A mask of the integers 0 and 1 stays what it is, with any scale."""
    if item.dtype.kind in "ui" and item.value_range[0] >= 0 and item.value_range[1] <= 1:
        return 0.0, 1.0
    if scale == "type" and item.dtype.kind == "f":
        raise InputError(
            f"scale='type' is for integer pixels; use 'auto' or 'image'. Received: {item.path}, {item.dtype}."
        )
    if scale == "type" or (scale == "auto" and item.dtype.kind in "ui" and item.dtype.itemsize == 1):
        limits = np.iinfo(item.dtype)
        return float(limits.min), float(limits.max)
    low, high = map(float, item.value_range)
    return low, high if high > low else low + 1.0


def _check_brightness(items: Sequence[Micrograph], high: np.ndarray) -> None:
    """Refuse images of 8 bits that would all be black: labels of phases, mostly.

    Raises:
        InputError: They would.
    """
    brightest = max(item.value_range[1] for item in items)
    if brightest < _DARKEST and (high == 255).any():
        raise InputError(
            "Images of 8 bits are divided by 255, which would leave these black; train with --set "
            "data.micrographs.scale=image, in Python with scale='image', to stretch each from its least to its "
            f"greatest value. Received: {items[0].path} and others without a pixel above {brightest}."
        )


class _Decoder(NamedTuple):
    """A way to decode: files that share it share a branch of the graph."""

    op: str
    dtype: str
    stored_channels: int


def _decoder(item: Micrograph) -> _Decoder:
    if not item.decoder:
        return _Decoder("", "", item.stored_channels)
    return _Decoder(item.decoder, item.dtype.name, item.stored_channels)


def _decoders(items: Sequence[Micrograph]) -> list[_Decoder]:
    return sorted({_decoder(item) for item in items})


def _read_with_op(decoder: _Decoder, row: dict) -> tf.Tensor:
    contents = tf.io.read_file(row["path"])
    # The decoders' own messages do not name the file. The raw op is one kernel, tf.debugging.Assert a branch.
    whole = tf.equal(tf.strings.length(contents), row["file_size"])
    problem = tf.constant("This image file was changed after it was inspected; inspect it again. Received:")
    with tf.control_dependencies([tf.raw_ops.Assert(condition=whole, data=[problem, row["path"]], summarize=2)]):
        pixels = _decoded(contents, decoder)
    if "height" in row:
        pixels = pixels[: row["height"]]
    pixels = tf.cast(pixels, tf.float32)
    if isinstance(row["high"], np.generic) and row["low"] == 0.0:
        return pixels / np.float32(row["high"])  # the usual case of 8 bits, in one operation
    low, high = tf.cast(row["low"], tf.float32), tf.cast(row["high"], tf.float32)
    return (pixels - low) / (high - low)


def _decoded(contents: tf.Tensor, decoder: _Decoder) -> tf.Tensor:
    if decoder.op == "png":
        return tf.io.decode_png(contents, decoder.stored_channels, tf.as_dtype(decoder.dtype))
    if decoder.op == "jpeg":
        return tf.io.decode_jpeg(contents, decoder.stored_channels, dct_method="INTEGER_ACCURATE")
    return tf.io.decode_bmp(contents, decoder.stored_channels)


def _read_with_python(decoder: _Decoder, row: dict) -> tf.Tensor:
    inputs = [row["path"], row["page"], row.get("height", np.iinfo(np.int32).max), row["low"], row["high"]]
    image = tf.numpy_function(_read_scaled, inputs, tf.float32)
    return tf.ensure_shape(image, (None, None, decoder.stored_channels))


def _read_scaled(path: bytes, page: int, height: int, low: float, high: float) -> np.ndarray:
    pixels = read_page(os.fsdecode(path), int(page))[:height]
    if pixels.dtype.itemsize > (4 if pixels.dtype.kind == "f" else 2):
        pixels = pixels.astype(np.float64)  # float32 would blur them before the difference is taken
    else:
        pixels, low, high = pixels.astype(np.float32), np.float32(low), np.float32(high)
    return ((pixels - low) / (high - low)).astype(np.float32)


def _with_channels(image: tf.Tensor, wanted: int) -> tf.Tensor:
    stored = image.shape[2]
    if stored == wanted:
        return image
    colour = image[:, :, :1] if stored <= 2 else image[:, :, :3]  # without alpha
    if wanted == 3:
        return tf.repeat(colour, 3, axis=2) if stored <= 2 else colour
    return colour if stored <= 2 else tf.minimum(tf.reduce_sum(colour * _LUMINANCE, axis=2, keepdims=True), 1.0)
