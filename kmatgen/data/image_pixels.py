"""Pixels of an opened image: without palettes, and the right way up."""

from __future__ import annotations

import numpy as np
from PIL import Image

ORIENTATION = 274  # tag of TIFF and of EXIF: how the stored pixels are to be turned


def pixels_of(image: Image.Image) -> tuple[np.ndarray, bool]:
    """Pixels, and whether the last channel is alpha."""
    if image.mode in ("P", "PA"):
        image = _without_palette(image)
    elif image.mode == "CMYK" or image.mode in ("YCbCr", "LAB", "HSV", "RGBX"):
        image = image.convert("RGB")
    elif "transparency" in image.info and image.mode in ("L", "RGB", "1"):
        image = image.convert("RGBA" if image.mode == "RGB" else "LA")
    pixels = np.asarray(image)
    return pixels, image.mode in ("LA", "RGBA", "La", "RGBa")


def orientation_of(image: Image.Image) -> int:
    """EXIF's number from 1 to 8 for how an image is stored; 1, upright, where it has none that can be read."""
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # Pillow would also look into texts, which `native_decoder` does not read
    try:
        return image.getexif().get(ORIENTATION, 1)
    except Exception:  # tags are written by many programs, and no reason to refuse the pixels
        return 1


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels (height, width, ...) as a viewer shows them, by EXIF's and TIFF's number for how they are stored."""
    if orientation in (5, 6, 7, 8):  # rows are columns
        pixels = np.swapaxes(pixels, 0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels[:, ::-1] if orientation in (2, 3, 6, 7) else pixels


def _without_palette(image: Image.Image) -> Image.Image:
    has_alpha = image.mode == "PA" or "transparency" in image.info
    colour = image.convert("RGBA" if has_alpha else "RGB")
    red, green, blue = colour.split()[:3]
    if red.tobytes() != green.tobytes() or red.tobytes() != blue.tobytes():
        return colour
    return Image.merge("LA", (red, colour.getchannel("A"))) if has_alpha else red
