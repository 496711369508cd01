"""Grain sizes, from maps of grains."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kmatgen.errors import InputError
from kmatgen.metrics.inputs import as_phases, check_axis, check_positive


class GrainSizes(NamedTuple):
    """The equivalent diameters of the grains of one sample, each with its weight in a mean.

    Attributes:
        diameters: Of the circle (3-D: the sphere) as large as the grain.
        weights: 1 for every grain of a periodic sample. In one that ends at its sides a grain is the less likely to be
            seen as a whole the larger it is; the weights make up for that.
    """

    diameters: np.ndarray
    weights: np.ndarray

    @property
    def mean(self) -> float:
        """The weighted mean diameter."""
        return float(np.average(self.diameters, weights=self.weights))


def grain_sizes(grain_map: np.ndarray, *, periodic: bool = True, pixel_size: float = 1.0) -> list[GrainSizes]:
    """Equivalent diameters of the grains in every sample: `(4 A / pi)^(1/2)`, in 3-D `(6 V / pi)^(1/3)`.

    Args:
        grain_map: A label for each grain, from 0, `(n, height, width)` or `(n, depth, height, width)`; every pixel
            belongs to a grain.
        periodic: Whether samples continue at their opposite sides, and labels with them. If not, grains that touch a
            side are left out, and those that remain are weighted by one over the probability that a grain of their
            height and width lies inside (Miles-Lantuejoul; Serra, "Image Analysis and Mathematical Morphology", 1982).
        pixel_size: Side of a pixel, in the unit that diameters shall have.

    Returns:
        One `GrainSizes` a sample, grains in the order of their labels.

    Raises:
        InputError: A sample that is not periodic has no grain that lies inside.
    """
    maps = as_phases("grain_map", grain_map)
    scale = check_positive("pixel_size", pixel_size)
    dimension = maps.ndim - 1
    unit = (2.0 * dimension / math.pi) ** (1.0 / dimension)  # 4 / pi of areas, 6 / pi of volumes
    sizes = []
    for index, labels in enumerate(maps):
        names, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
        weights = np.ones(len(names)) if periodic else _inside_weights(places.reshape(labels.shape), len(names))
        used = weights > 0
        if not used.any():
            raise InputError(
                "Every sample that is not periodic must hold a grain that touches no side; use larger samples. "
                f"Received: grain_map {index} with {len(names)} grains, all at a side."
            )
        sizes.append(GrainSizes(unit * counts[used] ** (1.0 / dimension) * scale, weights[used]))
    return sizes


def mean_intercept(
    grain_map: np.ndarray, *, axis: int | None = None, periodic: bool = True, pixel_size: float = 1.0
) -> np.ndarray:
    """Mean lineal intercept: length of test lines along the axes, over the grain boundaries they cross (ASTM E112).

    Args:
        grain_map: A label for each grain, from 0, `(n, height, width)` or `(n, depth, height, width)`.
        axis: Axis of a sample along which lines run, from 0; elongated grains differ. None: all together.
        periodic: Whether samples continue at their opposite sides.
        pixel_size: Side of a pixel.

    Returns:
        float64 `(n,)`, in the unit of the pixel size.

    Raises:
        InputError: No line of a sample crosses a boundary.
    """
    maps = as_phases("grain_map", grain_map)
    axes = range(maps.ndim - 1) if axis is None else [check_axis(axis, maps.ndim - 1)]
    crossings, steps = np.zeros(len(maps)), 0
    for along in (1 + axis for axis in axes):
        after = np.roll(maps, -1, axis=along)
        changes = maps != after if periodic else np.delete(maps != after, -1, axis=along)
        crossings += changes.reshape(len(maps), -1).sum(axis=1)
        steps += changes[0].size
    if not crossings.all():
        raise InputError(
            "A mean intercept needs grain boundaries in every sample; use larger samples. "
            f"Received: grain_map {np.argmin(crossings)} without any that is crossed."
        )
    return steps / crossings * check_positive("pixel_size", pixel_size)


def astm_grain_size(intercept: float | np.ndarray) -> float | np.ndarray:
    """The grain-size number G of a mean intercept, `-3.288 - 6.643856 log10(length in mm)` (ASTM E112, annex A1).

    Args:
        intercept: Mean lineal intercept in micrometres.
    """
    lengths = np.asarray(intercept, dtype=float)
    if lengths.size == 0 or not (np.isfinite(lengths) & (lengths > 0)).all():
        raise InputError(f"An intercept is a length above 0 in micrometres. Received: {intercept!r}.")
    number = -3.288 - 6.643856 * np.log10(lengths / 1000.0)
    return float(number) if number.ndim == 0 else number


def _inside_weights(labels: np.ndarray, count: int) -> np.ndarray:
    """Of each label from 0 one over the probability that its box, thrown at random, lies inside; 0 at a side."""
    weights = np.ones(count)
    for axis, side in enumerate(labels.shape):
        places = np.broadcast_to(np.arange(side).reshape(-1, *(1,) * (labels.ndim - 1 - axis)), labels.shape)
        least, greatest = np.full(count, side), np.zeros(count, int)
        np.minimum.at(least, labels, places)
        np.maximum.at(greatest, labels, places)
        room = side - 1 - (greatest - least + 1)  # of the places 0 to side - extent all but the two at the sides
        whole = (least > 0) & (greatest < side - 1)
        weights *= np.where(whole, side / np.maximum(room, 1), 0.0)
    return weights
