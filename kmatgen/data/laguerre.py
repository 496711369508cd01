"""Periodic Laguerre tessellations on a pixel grid, with areas that are asked for.

A Laguerre tessellation is a Voronoi diagram in which every site has a weight: the pixel x belongs to the grain
that minimises |x - site|^2 - weight. Some weights give the grains any areas that are asked for, so areas are drawn
from a log-normal distribution of diameters and the weights follow, while each site moves to the centroid of its
grain (Lloyd), which makes the grains compact. The idea of alternating the two is that of Bourne, Kok, Roper and
Spanjer, Phil. Mag. 100 (2020) 2677; here both are damped steps on a pixel grid, coarse at first.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

# Stages of the fit: steps, pixels between grid points, and how far sites go to their centroids (over-relaxed at first).
_STAGES = ((7, 2, 1.3), (3, 1, 0.3))
_GAIN = 0.8  # of the step that would give one regular hexagon its area; 1 and above overshoots
# Additive steps that spread points evenly over the unit square: powers of the real root of x^3 = x + 1.
_EVEN = np.array([[0.7548776662466927], [0.5698402909980532]])
_BLOCK = 1 << 20  # distances held at a time while grains are assigned, so that memory does not grow with the image


def laguerre_grains(
    rng: np.random.Generator, size: int, diameter: float, spread: float, elongation: float
) -> np.ndarray:
    """Draw one grain map. A map of round grains is stretched by `elongation`, so that the periods are exact.

    Args:
        rng: Source of everything random.
        size: Width and height in pixels.
        diameter: Mean equivalent diameter in pixels.
        spread: Standard deviation of the natural log of the equivalent diameter.
        elongation: Extent along x over extent along y.

    Returns:
        Labels 0 to k - 1, int32 of shape (size, size).
    """
    count = max(1, round(size**2 / (np.pi / 4.0 * diameter**2 * np.exp(spread**2))))  # E[d^2] = E[d]^2 exp(spread^2)
    # One draw from each of `count` equal slices: with few grains, plain draws would often miss the size and spread.
    targets = rng.permutation(np.exp(2.0 * spread * ndtri((np.arange(count) + rng.random(count)) / count)))
    targets *= size**2 / targets.sum()
    periods = size * np.array([[elongation**-0.5], [elongation**0.5]])  # their product is the area in pixels
    sites = _spread_sites(rng, count) * periods
    weights = targets / np.pi  # the squared radius
    for steps, spacing, pull in _STAGES:
        points = size // spacing
        for _ in range(steps):
            offsets = _offsets(sites, periods, points)
            along_x, along_y = line_profiles(_nearest(offsets, weights), count)
            areas = along_x.sum(axis=1)
            sites[0] += pull * (along_x * offsets[0]).sum(axis=1) / np.maximum(areas, 1)
            sites[1] += pull * (along_y * offsets[1]).sum(axis=1) / np.maximum(areas, 1)
            weights += _steps(areas * (size / points) ** 2, targets)
    labels = _nearest(_offsets(sites, periods, size), weights)
    present = np.bincount(labels.ravel(), minlength=count) > 0
    return (np.cumsum(present, dtype=np.int32) - 1).take(labels)  # a grain smaller than a pixel may be lost


def _spread_sites(rng: np.random.Generator, count: int) -> np.ndarray:
    """Sites in the unit square, (2, count): even enough to need few steps, blurred enough to show no lattice."""
    blur = rng.normal(0.0, 0.4 / np.sqrt(count), (2, count))
    return (rng.random((2, 1)) + _EVEN * np.arange(count) + blur) % 1.0


def _steps(areas: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """By how much to raise the weights so that the areas go to their targets."""
    # The area of a vanished grain does not say how far off it is: a step of its own small target would not revive it.
    missing = np.where(areas > 0, targets - areas, 0.5 * targets.sum() / len(targets))
    return _GAIN * missing / np.sqrt(3.0)  # the area of a regular hexagon grows by sqrt(3) times its weight


def _offsets(sites: np.ndarray, periods: np.ndarray, points: int) -> np.ndarray:
    """From each site to the nearest image of every grid line: shape (2, grains, points), x before y."""
    lines = (np.arange(points) + 0.5) / points
    fractions = lines - (sites / periods)[:, :, None]
    return (fractions - np.rint(fractions)) * periods[:, :, None]


def _nearest(offsets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The grain with the least |offset|^2 - weight at every grid point: int32 of shape (points, points).

    The label is put into the low bits of a whole-number distance, so that a plain minimum, which is much faster than
    argmin, finds both. Between neighbouring grains the rounding moves a boundary by a small part of a pixel.
    """
    count, points = offsets.shape[1:]
    bits = max(1, int(count - 1).bit_length())
    squares = offsets**2
    squares[1] += (weights.max() - weights)[:, None]
    squares *= (2 ** (31 - bits) - 2) / (squares[0].max() + squares[1].max())
    along_x, along_y = np.rint(squares).astype(np.int32) << bits
    along_y |= np.arange(count, dtype=np.int32)[:, None]
    labels = np.empty((points, points), np.int32)
    rows = max(1, _BLOCK // (count * points))
    for top in range(0, points, rows):
        keys = along_y[:, top : top + rows, None] + along_x[:, None, :]
        labels[top : top + rows] = keys.min(axis=0) & (2**bits - 1)
    return labels


def line_profiles(labels: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """How many pixels each grain has in every column and in every row: (count, width) and (count, height)."""
    height, width = labels.shape
    columns = np.bincount((labels * width + np.arange(width)).ravel(), minlength=count * width)
    rows = np.bincount((labels * height + np.arange(height)[:, None]).ravel(), minlength=count * height)
    return columns.reshape(count, width), rows.reshape(count, height)
