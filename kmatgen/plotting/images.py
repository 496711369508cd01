"""Images as PNG files: grids, pairs, latent traversals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from kmatgen.errors import InputError
from kmatgen.plotting.isometry import isometric_view

_GAP = 2
_SMALLEST_SIDE = 64


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Images in [0, 1] to 8-bit, rounded; values outside are clipped."""
    return np.round(np.clip(images, 0.0, 1.0) * 255.0).astype(np.uint8)


def to_picture(image: np.ndarray) -> Image.Image:
    """One image `(height, width, channels)` in [0, 1] as a Pillow image; of 2 or more than 4 channels the first.

    A volume `(depth, height, width, channels)` is seen from one of its corners, see `kmatgen.plotting.isometry`.
    """
    pixels = to_uint8(isometric_view(image) if image.ndim == 4 else image)
    return Image.fromarray(pixels if pixels.shape[-1] in (3, 4) else pixels[..., 0])


def image_grid(images: np.ndarray, path: str | Path, columns: int | None = None) -> Path:
    """Write images side by side, small ones enlarged by whole factors.

    Args:
        images: `(n, height, width, channels)` in [0, 1], or volumes `(n, depth, height, width, channels)`.
        path: PNG file to write.
        columns: Images in a row. `None`: as square as possible.
    """
    if images.ndim not in (4, 5) or len(images) == 0:
        raise InputError(f"A grid needs images (n, height, width, channels). Received: {images.shape}.")
    if images.ndim == 5:
        images = np.stack([isometric_view(volume) for volume in images])
    n, height, width, _ = images.shape
    columns = columns or int(np.ceil(np.sqrt(n)))
    rows = -(-n // columns)
    factor = max(1, _SMALLEST_SIDE // min(height, width))
    cell = (width * factor + _GAP, height * factor + _GAP)
    sheet = Image.new("RGB", (columns * cell[0] - _GAP, rows * cell[1] - _GAP), "white")
    for index, image in enumerate(images):
        picture = to_picture(image).resize((width * factor, height * factor), Image.Resampling.NEAREST)
        sheet.paste(picture, (index % columns * cell[0], index // columns * cell[1]))
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
    return path


def pair_grid(upper: np.ndarray, lower: np.ndarray, path: str | Path, columns: int = 8) -> Path:
    """Write two sets of images in alternating rows, for instance real images above their reconstructions."""
    columns = min(columns, len(upper))
    used = len(upper) // columns * columns
    rows = [images[start : start + columns] for start in range(0, used, columns) for images in (upper, lower)]
    return image_grid(np.concatenate(rows), path, columns)


def traversal_points(latent_dim: int, dimensions: int = 8, steps: int = 9, span: float = 3.0) -> np.ndarray:
    """Latent points along the first axes: `(dimensions * steps, latent_dim)`, each axis from -span to span."""
    dimensions = min(dimensions, latent_dim)
    points = np.zeros((dimensions, steps, latent_dim), np.float32)
    for axis in range(dimensions):
        points[axis, :, axis] = np.linspace(-span, span, steps)
    return points.reshape(-1, latent_dim)
