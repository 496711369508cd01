"""Pixels of an image file, in the bit depth they were stored in."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from kmatgen.data.image_pixels import orientation_of, pixels_of, upright
from kmatgen.data.tiff import TIFF_MAGIC, simple_tiff, tiff_pages
from kmatgen.errors import InputError

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff")

_PNG_PALETTE = 3  # colour type in a PNG's header


def read_pages(path: str | os.PathLike[str]) -> list[np.ndarray]:
    """Every page of an image file, each in its own bit depth.

    PNG, JPEG, BMP and TIFF are read. A palette becomes grey where all its used colours are grey, else RGB;
    an alpha channel that is opaque everywhere says nothing and is dropped; CMYK becomes RGB; one bit becomes
    0 and 255; thumbnails inside a TIFF are no pages of their own. What EXIF or a TIFF says about the orientation is
    heeded, as by all viewers.

    Args:
        path: The image file.

    Returns:
        One array (height, width, channels) a page, in the machine's byte order.

    Raises:
        InputError: The file is no image, is damaged, is too large to be one, or holds NaN or infinite pixels.
    """
    path = Path(path)
    try:
        pages = [_finished(page, path) for page in _raw_pages(path)]
    except InputError:
        raise
    except Exception as error:  # a damaged file can make a decoder fail in any way
        raise InputError(_unreadable(path, error)) from error
    if not pages:
        raise InputError(f"{path} must hold at least one image page. Received: none.")
    return pages


def read_page(path: str | os.PathLike[str], page: int = 0) -> np.ndarray:
    """One page of an image file, without decoding the others where the format allows it.

    Args:
        path: The image file.
        page: Which page, counted from 0.

    Returns:
        The array `read_pages(path)[page]`.

    Raises:
        InputError: As `read_pages`, or the file has no such page.
    """
    path = Path(path)
    try:
        for found in _raw_pages(path, page):
            return _finished(found, path)
    except InputError:
        raise
    except Exception as error:
        raise InputError(_unreadable(path, error)) from error
    raise InputError(f"{path} must hold page {page} (counted from 0), as when it was inspected. Received: fewer pages.")


def native_decoder(contents: bytes, pixels: np.ndarray) -> str:
    """Which of TensorFlow's decoders gives the same pixels as `read_pages`, and does so without Python.

    Args:
        contents: The file's bytes.
        pixels: What `read_pages` made of them.

    Returns:
        "png", "jpeg", "bmp", or "" if none does.
    """
    channels = pixels.shape[2]
    if contents[:8] == b"\x89PNG\r\n\x1a\n":
        depth, colour_type = contents[24], contents[25]
        plain = b"tRNS" not in contents[: contents.find(b"IDAT")] and colour_type != _PNG_PALETTE
        plain = plain and b"eXIf" not in contents  # which may turn the image
        return "png" if depth in (8, 16) and plain and channels in (1, 3, 4) else ""
    if contents[:3] == b"\xff\xd8\xff":
        with Image.open(io.BytesIO(contents)) as image:
            return "jpeg" if image.mode in ("L", "RGB") and orientation_of(image) == 1 else ""
    if contents[:2] == b"BM" and contents[14] == 40 and contents[28] == 24 and contents[30] == 0:
        return "bmp"  # 24 bits, uncompressed
    return ""


def _unreadable(path: Path, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{path} must be an image file that exists. Received: no such file."
    if path.is_file() and path.stat().st_size == 0:
        return f"{path} must be an image file (PNG, JPEG, BMP or TIFF). Received: an empty file of zero bytes."
    what = str(error).replace(str(path), path.name).strip().rstrip(".") or type(error).__name__
    return f"{path} must be a complete PNG, JPEG, BMP or TIFF image that can be decoded. Received: {what}."


def _raw_pages(path: Path, only: int | None = None) -> Iterator[tuple[np.ndarray, bool]]:
    """Pixels and whether the last channel is alpha, page by page."""
    with open(path, "rb") as file:
        is_tiff = file.read(4) in TIFF_MAGIC
    if not is_tiff:
        yield _single_page(path)
        return
    page = simple_tiff(path) if only in (None, 0) else None
    if page is not None:
        yield page
    else:
        yield from tiff_pages(path, only)


def _single_page(path: Path) -> tuple[np.ndarray, bool]:
    with Image.open(path) as image:
        if image.format not in ("PNG", "JPEG", "MPO", "BMP", "DIB"):
            raise ValueError(f"a file in the format {image.format}")
        image.load()
        is_png = image.format == "PNG"
        if is_png and b"IEND" not in path.read_bytes():  # Pillow would not mind, TensorFlow's decoder does
            raise ValueError("image file is truncated (no IEND chunk)")
        if is_png and image.mode in ("RGB", "RGBA") and _png_bit_depth(path) == 16:
            pixels, has_alpha = _png_16_bit(path)
        else:
            pixels, has_alpha = pixels_of(image)
        return upright(pixels, orientation_of(image)), has_alpha


def _png_bit_depth(path: Path) -> int:
    with open(path, "rb") as file:
        return file.read(25)[24]


def _png_16_bit(path: Path) -> tuple[np.ndarray, bool]:
    """Colour of 16 bits, which Pillow would silently cut to 8."""
    import tensorflow as tf  # only these rare files need it, and it is slow to import

    pixels = tf.io.decode_png(path.read_bytes(), dtype=tf.uint16).numpy()
    return pixels, pixels.shape[2] in (2, 4)


def _finished(page: tuple[np.ndarray, bool], path: Path) -> np.ndarray:
    """(height, width, channels), native bytes, no opaque alpha, only finite numbers."""
    pixels, has_alpha = page
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3 or 0 in pixels.shape:
        raise ValueError(f"pixels of shape {pixels.shape} instead of (height, width, channels)")
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype.kind not in "uif":
        raise ValueError(f"pixels of type {pixels.dtype}")
    if has_alpha and pixels.shape[2] > 1 and _is_opaque(pixels[:, :, -1]):
        pixels = pixels[:, :, :-1]
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        bad = int(pixels.size - np.isfinite(pixels).sum())
        raise InputError(f"{path} must hold finite pixel values only. Received: {bad} pixels that are NaN or infinite.")
    return np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("="))


def _is_opaque(alpha: np.ndarray) -> bool:
    top = 1.0 if alpha.dtype.kind == "f" else np.iinfo(alpha.dtype).max
    return bool((alpha == top).all())
