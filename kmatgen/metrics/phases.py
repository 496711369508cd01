"""How much there is of each phase, of the interfaces between them, and of the lines where three meet."""

from __future__ import annotations

import math

import numpy as np

from kmatgen.errors import InputError
from kmatgen.metrics.inputs import as_masks, as_phases, check_positive


def phase_fractions(phases: np.ndarray, count: int | None = None) -> np.ndarray:
    """The share of each phase in each sample.

    Args:
        phases: Labels from 0, `(n, height, width)` or `(n, depth, height, width)`.
        count: Number of phases, so that one that no sample holds has its column. Default: the largest label plus 1.

    Returns:
        float64 `(n, count)`; each row adds up to 1.
    """
    phases = as_phases("phases", phases)
    largest = int(phases.max()) + 1
    count = largest if count is None else count
    if count < largest:
        raise InputError(f"count must be at least the number of phases, {largest}. Received: {count}.")
    n = len(phases)
    labels = phases.reshape(n, -1).astype(np.int64) + count * np.arange(n)[:, None]
    counts = np.bincount(labels.ravel(), minlength=n * count).reshape(n, count)
    return counts / math.prod(phases.shape[1:])


def specific_surface(
    phases: np.ndarray, phase: int = 1, *, method: str = "correlation", periodic: bool = True, pixel_size: float = 1.0
) -> np.ndarray:
    """Length of interface per area of an image, or area of interface per volume, of one phase against all others.

    Args:
        phases: Labels from 0, `(n, height, width)` or `(n, depth, height, width)`.
        phase: The phase.
        method: `"correlation"` takes the slope of the two-point correlation, `-pi S2'(0)` in 2-D and `-4 S2'(0)` in
            3-D (Torquato 2002, 2.2.5), between 0 and 1 pixel along the axes: right for interfaces of all directions
            alike, curved or oblique. `"faces"` counts the pixel sides between the phase and others: right for
            interfaces along the axes; those of all directions alike come out 4 / pi (3-D: 3 / 2) times as large.
        periodic: Whether samples continue at their opposite sides.
        pixel_size: Side of a pixel; the result is in its inverse.

    Returns:
        float64 `(n,)`.
    """
    if method not in ("correlation", "faces"):
        raise InputError(f"method must be 'correlation' or 'faces'. Received: {method!r}.")
    masks = as_masks("phases", phases, phase)
    crossings = [_share_of_changes(masks, axis, periodic) for axis in range(1, masks.ndim)]
    # A step of one pixel leaves the phase half as often as it crosses the interface: -S2'(0) = crossings / 2.
    factor = (math.pi / 2.0 if masks.ndim == 3 else 2.0) / len(crossings) if method == "correlation" else 1.0
    return factor * sum(crossings) / check_positive("pixel_size", pixel_size)


def triple_phase_boundary(phases: np.ndarray, *, periodic: bool = True, pixel_size: float = 1.0) -> np.ndarray:
    """Length of the lines where at least three phases meet, per volume.

    Counts the edges of voxels around which three phases lie. A straight line along an axis comes out exact; the
    staircase that stands for lines of all directions alike is 3 / 2 times as long as they are.

    Args:
        phases: Labels from 0, `(n, depth, height, width)`, with at least three phases.
        periodic: Whether volumes continue at their opposite sides. If not, edges on their surface do not count.
        pixel_size: Side of a voxel; the result is in its inverse square.

    Returns:
        float64 `(n,)`.

    Raises:
        InputError: The samples are images, or hold fewer than three phases.
    """
    phases = as_phases("phases", phases)
    if phases.ndim != 4 or len(np.unique(phases)) < 3:
        raise InputError(
            "A triple-phase boundary needs volumes (n, depth, height, width) of at least three phases. "
            f"Received: shape {phases.shape}, {len(np.unique(phases))} phases."
        )
    shares = sum(_share_of_triple_edges(phases, pair, periodic) for pair in ((1, 2), (1, 3), (2, 3)))
    return shares / check_positive("pixel_size", pixel_size) ** 2


def _share_of_changes(masks: np.ndarray, axis: int, periodic: bool) -> np.ndarray:
    """The share of steps of one pixel along an axis that enter or leave the phase, of each sample."""
    after = np.roll(masks, -1, axis=axis) if periodic else np.delete(masks, 0, axis=axis)
    before = masks if periodic else np.delete(masks, -1, axis=axis)
    return (before != after).reshape(len(masks), -1).mean(axis=1)


def _share_of_triple_edges(phases: np.ndarray, axes: tuple[int, int], periodic: bool) -> np.ndarray:
    """The share of edges along the remaining axis with three phases among the four voxels around, of each sample."""
    first, second = axes
    corners = [phases, np.roll(phases, -1, first), np.roll(phases, -1, second), np.roll(phases, (-1, -1), axes)]
    if not periodic:
        corners = [np.delete(np.delete(corner, -1, first), -1, second) for corner in corners]
    around = np.sort(np.stack(corners), axis=0)
    different = 1 + np.sum(around[1:] != around[:-1], axis=0)
    return (different >= 3).reshape(len(phases), -1).mean(axis=1)
