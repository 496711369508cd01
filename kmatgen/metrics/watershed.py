"""Grain maps of images, by watershed."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from kmatgen.errors import InputError
from kmatgen.metrics.clusters import label_clusters
from kmatgen.metrics.inputs import as_images

_BORDERS = ("contrast", "dark", "bright")


def segment_grains(
    images: np.ndarray,
    *,
    borders: str = "contrast",
    smoothing: float = 1.0,
    depth: float = 0.03,
    periodic: bool = False,
) -> np.ndarray:
    """Divide images into grains: basins of a relief that is high on grain boundaries (Meyer's watershed).

    Args:
        images: `(n, height, width, channels)` or `(n, depth, height, width, channels)` in [0, 1].
        borders: What shows a boundary: `"contrast"`, a change of grey level or colour; `"dark"`, a dark line;
            `"bright"`, a bright line.
        smoothing: Standard deviation in pixels of the Gaussian that removes noise first.
        depth: How deep a basin is at least, as a share of the relief's range (from its 1 % to its 99 % quantile over
            all images): shallower ones are noise and part of a neighbour. More gives fewer, larger grains.
        periodic: Whether images continue at their opposite sides.

    Returns:
        int64 labels from 0, without gaps in each image, of the shape of `images` without its channel axis. What
        belongs to a boundary line goes to the nearer grain; an image without boundaries is one grain.

    Raises:
        InputError: An option is out of range, or no image shows any boundary.
    """
    from skimage.segmentation import watershed

    if borders not in _BORDERS or smoothing < 0 or not 0.0 < depth < 1.0:
        raise InputError(
            f"borders must be one of {', '.join(_BORDERS)}, smoothing at least 0, depth above 0 and below 1. "
            f"Received: {borders!r}, {smoothing!r}, {depth!r}."
        )
    images = as_images("images", images).astype(np.float64)
    mode = "wrap" if periodic else "nearest"
    reliefs = np.stack([_relief(image, borders, smoothing, mode) for image in images])
    low, high = np.quantile(reliefs, (0.01, 0.99))
    if high - low < 1e-6:
        raise InputError(f"Images must show grain boundaries. Received: images whose relief is constant, {low:.4g}.")
    height = depth * (high - low)
    maps = np.zeros(reliefs.shape, np.int64)
    for index, relief in enumerate(reliefs):
        if np.ptp(relief) < height:
            continue
        pad = min(relief.shape) // 2 if periodic else 0
        markers = _basins(np.pad(relief, pad, mode="wrap"), height)
        inner = tuple(slice(pad, pad + side) for side in relief.shape)
        seeds = label_clusters(markers[inner][None], periodic=periodic, diagonal=True)[0]
        flooded = watershed(np.pad(relief, pad, mode="wrap"), np.pad(seeds, pad, mode="wrap"))
        maps[index] = np.unique(flooded[inner], return_inverse=True)[1].reshape(relief.shape)
    return maps


def _relief(image: np.ndarray, borders: str, smoothing: float, mode: str) -> np.ndarray:
    """High on grain boundaries."""
    channels = np.moveaxis(image, -1, 0)
    smooth = [ndimage.gaussian_filter(channel, smoothing, mode=mode) for channel in channels]
    if borders != "contrast":
        return np.mean(smooth, axis=0) * (1.0 if borders == "bright" else -1.0)
    slopes = [ndimage.sobel(channel, axis, mode=mode) for channel in smooth for axis in range(channel.ndim)]
    return np.sqrt(np.sum(np.square(slopes), axis=0))


def _basins(relief: np.ndarray, depth: float) -> np.ndarray:
    """Where the minima are that lie at least `depth` below the lowest way out."""
    from skimage.morphology import local_minima, reconstruction

    # Raised by the depth and eroded down again onto the relief, basins less deep are filled and leave no minimum.
    filled = reconstruction(relief + depth, relief, method="erosion")
    return local_minima(filled, connectivity=relief.ndim)
