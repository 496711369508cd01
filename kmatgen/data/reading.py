"""Pixels of an image file, in the bit depth they were stored in."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image, UnidentifiedImageError

from kmatgen.errors import InputError

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff")

_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # both byte orders; "+" is BigTIFF
_PNG_PALETTE = 3  # colour type in a PNG's header
_REDUCED = 1  # bit of the TIFF tag NewSubfileType: a thumbnail of another page
_ORIENTATION = 274  # tag of TIFF and of EXIF: how the stored pixels are to be turned
_TAGS = {"bits": 258, "photometric": 262, "samples": 277, "format": 339}
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3  # values of the TIFF tag SampleFormat
_PLAIN = tuple(tifffile.PHOTOMETRIC[name] for name in ("MINISBLACK", "MINISWHITE", "RGB"))


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
            return "jpeg" if image.mode in ("L", "RGB") and _orientation(image) == 1 else ""
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
        is_tiff = file.read(4) in _TIFF_MAGIC
    if not is_tiff:
        yield _single_page(path)
        return
    page = _simple_tiff(path) if only in (None, 0) else None
    if page is not None:
        yield page
    else:
        yield from _tiff_pages(path, only)


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
            pixels, has_alpha = _from_pillow(image)
        return _upright(pixels, _orientation(image)), has_alpha


def _orientation(image: Image.Image) -> int:
    """EXIF's number from 1 to 8 for how an image is stored; 1, upright, where it has none that can be read."""
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # Pillow would also look into texts, which `native_decoder` does not read
    try:
        return image.getexif().get(_ORIENTATION, 1)
    except Exception:  # tags are written by many programs, and no reason to refuse the pixels
        return 1


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels (height, width, ...) as a viewer shows them, by EXIF's and TIFF's number for how they are stored."""
    if orientation in (5, 6, 7, 8):  # rows are columns
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels[:, ::-1] if orientation in (2, 3, 6, 7) else pixels


def _simple_tiff(path: Path) -> tuple[np.ndarray, bool] | None:
    """The page of a TIFF with one page that Pillow reads faithfully; None for all others."""
    try:
        image = Image.open(path)
    except UnidentifiedImageError:
        return None
    with image:
        # Of uncompressed pages that are to be turned, Pillow 13 takes the rows for columns before it turns them.
        turned = image.tag_v2.get(_ORIENTATION, 1) != 1
        if getattr(image, "n_frames", 1) > 1 or turned or not _pillow_is_faithful(image):
            return None
        return _from_pillow(image)


def _png_bit_depth(path: Path) -> int:
    with open(path, "rb") as file:
        return file.read(25)[24]


def _png_16_bit(path: Path) -> tuple[np.ndarray, bool]:
    """Colour of 16 bits, which Pillow would silently cut to 8."""
    import tensorflow as tf  # only these rare files need it, and it is slow to import

    pixels = tf.io.decode_png(path.read_bytes(), dtype=tf.uint16).numpy()
    return pixels, pixels.shape[2] in (2, 4)


def _tag(image: Image.Image, name: str, default: int) -> tuple[int, ...]:
    value = image.tag_v2.get(_TAGS[name], default)
    return tuple(value) if isinstance(value, tuple) else (value,)


def _pillow_is_faithful(image: Image.Image) -> bool:
    """Whether Pillow keeps every bit and every channel of this TIFF page."""
    samples, bits, form = _tag(image, "samples", 1)[0], set(_tag(image, "bits", 1)), set(_tag(image, "format", 1))
    if len(image.getbands()) != samples or len(bits) != 1 or len(form) != 1:
        return False
    kind = (form.pop(), bits.pop())
    black_is_zero = _tag(image, "photometric", 1)[0] != 0
    one_channel = [(_UNSIGNED, 16)]
    if image.tag_v2.prefix == b"II":  # Pillow 13 swaps the bytes of compressed big-endian 32-bit pixels once too often
        one_channel += [(_FLOAT, 32), (_SIGNED, 32)]
    return (kind[0] == _UNSIGNED and kind[1] <= 8) or (samples == 1 and black_is_zero and kind in one_channel)


def _tiff_pages(path: Path, only: int | None) -> Iterator[tuple[np.ndarray, bool]]:
    with tifffile.TiffFile(path) as file:
        kept = (i for i in range(len(file.pages)) if i == 0 or not _is_thumbnail(file.pages[i]))
        for number, index in enumerate(kept):
            if only is None or number == only:
                yield _tiff_page(file.pages[index].aspage(), index, path)
            if number == only:
                return


def _is_thumbnail(page: tifffile.TiffPage | tifffile.TiffFrame) -> bool:
    return bool(page.aspage().subfiletype & _REDUCED)


def _tiff_page(page: tifffile.TiffPage, index: int, path: Path) -> tuple[np.ndarray, bool]:
    """One page through tifffile, or through Pillow where tifffile lacks the codec (LZW, JPEG) or the colours (CMYK)."""
    _refuse_bomb((page.imagewidth, page.imagelength))
    if page.bitspersample == 1 and page.samplesperpixel > 1:
        raise ValueError(f"{page.samplesperpixel} channels of one bit each")
    if page.photometric in _PLAIN:
        try:
            return _from_tifffile(page, page.asarray())
        except ValueError as error:
            if "imagecodecs" not in str(error):  # the package that tifffile wants for these codecs is no dependency
                raise
    with Image.open(path) as image:
        image.seek(index)
        if _pillow_is_faithful(image):
            return _from_pillow(image)
        wide = image.mode in ("RGB", "RGBA") and len(image.tile) == 1 and image.tile[0].args[0].endswith(";16N")
        if not wide or page.planarconfig == tifffile.PLANARCONFIG.SEPARATE:
            raise ValueError(f"{page.compression.name} compression of {page.dtype} x {page.samplesperpixel} channels")
    return _both_bytes(path, index)


def _both_bytes(path: Path, index: int) -> tuple[np.ndarray, bool]:
    """16-bit colour in a codec that only Pillow knows: decoded once for the high and once for the low bytes."""
    halves = []
    for order in "LB":  # a pixel is taken for little-endian, then for big-endian, and its first 8 bits are kept
        with Image.open(path) as image:
            image.seek(index)
            tile = image.tile[0]
            image.tile = [tile._replace(args=(f"{image.mode};16{order}", *tile.args[1:]))]
            halves.append(np.asarray(image).astype(np.uint16))
    high, low = halves if sys.byteorder == "little" else halves[::-1]
    return (high << 8) | low, image.mode == "RGBA"


def _from_tifffile(page: tifffile.TiffPage, pixels: np.ndarray) -> tuple[np.ndarray, bool]:
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE and pixels.dtype.kind in "bu":
        # `invert` keeps the full range of the stored depth: 255 - v for 8 bits, 65535 - v for 16.
        pixels = np.invert(pixels)
    channels_first = pixels.ndim == 3 and page.planarconfig == tifffile.PLANARCONFIG.SEPARATE
    if channels_first and pixels.shape[0] == page.samplesperpixel:
        pixels = np.moveaxis(pixels, 0, -1)
    pixels = _upright(pixels, page.tags.valueof(_ORIENTATION, default=1))
    return pixels, bool(page.extrasamples) and page.extrasamples[-1] in (1, 2)


def _from_pillow(image: Image.Image) -> tuple[np.ndarray, bool]:
    if image.mode in ("P", "PA"):
        image = _without_palette(image)
    elif image.mode == "CMYK" or image.mode in ("YCbCr", "LAB", "HSV", "RGBX"):
        image = image.convert("RGB")
    elif "transparency" in image.info and image.mode in ("L", "RGB", "1"):
        image = image.convert("RGBA" if image.mode == "RGB" else "LA")
    pixels = np.asarray(image)
    return pixels, image.mode in ("LA", "RGBA", "La", "RGBa")


def _without_palette(image: Image.Image) -> Image.Image:
    has_alpha = image.mode == "PA" or "transparency" in image.info
    colour = image.convert("RGBA" if has_alpha else "RGB")
    red, green, blue = colour.split()[:3]
    if red.tobytes() != green.tobytes() or red.tobytes() != blue.tobytes():
        return colour
    return Image.merge("LA", (red, colour.getchannel("A"))) if has_alpha else red


def _refuse_bomb(size: tuple[int, int]) -> None:
    limit = 2 * Image.MAX_IMAGE_PIXELS if Image.MAX_IMAGE_PIXELS else None
    if limit and size[0] * size[1] > limit:
        raise ValueError(f"{size[0]} x {size[1]} pixels, more than the {limit} that are believed to be an image")


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
