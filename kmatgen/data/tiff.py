"""Pages of a TIFF, through Pillow where it keeps every bit, else through tifffile."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image, UnidentifiedImageError

from kmatgen.data.image_pixels import ORIENTATION, pixels_of, upright

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # both byte orders; "+" is BigTIFF
_REDUCED = 1  # bit of the TIFF tag NewSubfileType: a thumbnail of another page
_TAGS = {"bits": 258, "photometric": 262, "samples": 277, "format": 339}
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3  # values of the TIFF tag SampleFormat
_PLAIN = tuple(tifffile.PHOTOMETRIC[name] for name in ("MINISBLACK", "MINISWHITE", "RGB"))


def simple_tiff(path: Path) -> tuple[np.ndarray, bool] | None:
    """The page of a TIFF with one page that Pillow reads faithfully; None for all others."""
    try:
        image = Image.open(path)
    except UnidentifiedImageError:
        return None
    with image:
        # Of uncompressed pages that are to be turned, Pillow 13 takes the rows for columns before it turns them.
        turned = image.tag_v2.get(ORIENTATION, 1) != 1
        if getattr(image, "n_frames", 1) > 1 or turned or not _pillow_is_faithful(image):
            return None
        return pixels_of(image)


def tiff_pages(path: Path, only: int | None) -> Iterator[tuple[np.ndarray, bool]]:
    """Pixels, and whether the last channel is alpha, of all pages or of one, thumbnails not counted."""
    with tifffile.TiffFile(path) as file:
        kept = (i for i in range(len(file.pages)) if i == 0 or not _is_thumbnail(file.pages[i]))
        for number, index in enumerate(kept):
            if only is None or number == only:
                yield _tiff_page(file.pages[index].aspage(), index, path)
            if number == only:
                return


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
            return pixels_of(image)
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
    pixels = upright(pixels, page.tags.valueof(ORIENTATION, default=1))
    return pixels, bool(page.extrasamples) and page.extrasamples[-1] in (1, 2)


def _refuse_bomb(size: tuple[int, int]) -> None:
    limit = 2 * Image.MAX_IMAGE_PIXELS if Image.MAX_IMAGE_PIXELS else None
    if limit and size[0] * size[1] > limit:
        raise ValueError(f"{size[0]} x {size[1]} pixels, more than the {limit} that are believed to be an image")
