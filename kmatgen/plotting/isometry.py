"""A volume seen from one of its corners, so that it can be printed like an image."""

from __future__ import annotations

import numpy as np

# How much light the upper, the left and the right face have.
_LIGHT = (0.85, 0.65, 0.45)


def isometric_view(volume: np.ndarray, background: float = 1.0) -> np.ndarray:
    """The three faces of a volume that are seen from the corner that is highest and nearest.

    An edge of `s` voxels along depth or width goes `s` pixels sideways and `s / 2` down; height goes straight down.
    The upper face is `volume[:, 0]`, the left one `volume[-1]`, the right one `volume[:, :, -1]`.

    Args:
        volume: `(depth, height, width, channels)` in [0, 1].
        background: Value of the pixels beside the volume.

    Returns:
        An image `(height + (depth + width) // 2, depth + width, channels)` in [0, 1].
    """
    depth, height, width, channels = volume.shape
    rows, columns = height + (depth + width) // 2, depth + width
    row, column = np.meshgrid(np.arange(rows) + 0.5, np.arange(columns) + 0.5, indexing="ij")
    image = np.full((rows, columns, channels), background, np.float32)
    # A voxel (z, y, x) is at the column x - z + depth and the row (x + z) / 2 + y; on each face one of them is known.
    shift = (column - depth) / 2
    z = width + depth - column
    faces = (
        (volume[:, 0], row - shift, row + shift),
        (volume[-1], row - (depth + column) / 2, column),
        (volume[:, :, -1], z, row - (width + z) / 2),
    )
    for light, (face, first, second) in zip(_LIGHT, faces, strict=True):
        inside = (first >= 0) & (first < face.shape[0]) & (second >= 0) & (second < face.shape[1])
        image[inside] = light * face[first[inside].astype(int), second[inside].astype(int)]
    return image
