"""Synthetic polycrystals: periodic grain maps with a chosen grain size, spread and elongation, and their images.

A grain map is a Laguerre tessellation (a Voronoi diagram in which every site has a weight): the pixel x belongs
to the grain that minimises |x - site|^2 - weight. Some weights give the grains any areas that are asked for, so
areas are drawn from a log-normal distribution of diameters and the weights follow, while each site moves to the
centroid of its grain (Lloyd), which makes the grains compact. The idea of alternating the two is that of Bourne,
Kok, Roper and Spanjer, Phil. Mag. 100 (2020) 2677; here both are damped steps on a pixel grid, coarse at first.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation
from scipy.special import ndtri
from tqdm import tqdm

from kmatgen.errors import InputError

COLOURINGS = {"ipf": 3, "grey": 1, "boundary": 1}  # name -> number of channels
# Stages of the fit: steps, pixels between grid points, and how far sites go to their centroids (over-relaxed at first).
_STAGES = ((7, 2, 1.3), (3, 1, 0.3))
_GAIN = 0.8  # of the step that would give one regular hexagon its area; 1 and above overshoots
# Additive steps that spread points evenly over the unit square: powers of the real root of x^3 = x + 1.
_EVEN = np.array([[0.7548776662466927], [0.5698402909980532]])
_BLOCK = 1 << 20  # distances held at a time while grains are assigned, so that memory does not grow with the image


class GrainStatistics(NamedTuple):
    """What one grain map shows, counted in its pixels.

    Attributes:
        number_of_grains: How many grains there are.
        mean_diameter: Mean equivalent diameter (of the circle with the area of the grain), in pixels.
        log_diameter_std: Standard deviation over the grains of the natural log of the equivalent diameter.
        aspect_ratio: Geometric mean over the grains of the extent along x over the extent along y.
        boundary_fraction: Fraction of pixels whose right or lower neighbour is another grain.
        diameters: The equivalent diameters in pixels, one for each label of the map.
    """

    number_of_grains: int
    mean_diameter: float
    log_diameter_std: float
    aspect_ratio: float
    boundary_fraction: float
    diameters: np.ndarray


class Polycrystals(NamedTuple):
    """Images, the grain maps they show, and the measured statistics of each map.

    Attributes:
        images: float32 in [0, 1], of shape (n, size, size, channels).
        grain_map: int32 of shape (n, size, size); each map holds the labels 0 to k - 1, all of them.
        statistics: One `GrainStatistics` an image.
    """

    images: np.ndarray
    grain_map: np.ndarray
    statistics: list[GrainStatistics]


def polycrystal(
    n: int,
    size: int = 64,
    *,
    grain_size: float | tuple[float, float] = (8.0, 20.0),
    spread: float = 0.3,
    elongation: float | tuple[float, float] = 1.0,
    colouring: str = "ipf",
    seed: int = 0,
    first: int = 0,
    progress: bool = False,
) -> Polycrystals:
    """Draw polycrystals, periodic in both directions.

    Image number i depends on the seed and on i alone: a data set can be made in portions, and the colouring
    does not change the grains.

    Args:
        n: How many images.
        size: Width and height in pixels, at least 4.
        grain_size: Mean equivalent diameter of the grains in pixels, at least 2, or a range (low, high) from which
            every image draws its own, uniformly. Times the root of the elongation it must not exceed `size`.
        spread: Standard deviation of the natural log of the equivalent diameter, from 0 (all alike) to 1.
        elongation: Aspect ratio of the grains along x, at least 1, or a range (low, high) drawn as `grain_size`.
        colouring: `"ipf"`, the cubic inverse pole figure colour of a random orientation of each grain (3 channels);
            `"grey"`, a random grey level for each grain; `"boundary"`, 0 on the grain boundaries and 1 inside.
        seed: Which random images, 0 or more.
        first: The number of the first image.
        progress: Show a progress bar.

    Returns:
        The images, the grain maps and the statistics measured on the maps.

    Raises:
        InputError: An argument is of the wrong kind or outside its range.
    """
    for name, value, low in (("n", n, 0), ("size", size, 4), ("seed", seed, 0), ("first", first, 0)):
        if not isinstance(value, Integral) or isinstance(value, bool) or value < low:
            raise InputError(f"{name} is a whole number of at least {low}. Received: {value!r}.")
    diameters = _range("grain_size", grain_size, 2.0)
    ratios = _range("elongation", elongation, 1.0)
    if diameters[1] * ratios[1] ** 0.5 > size:
        raise InputError(
            f"A grain has to fit into the image: grain_size times the root of elongation is at most {size}. "
            f"Received: grain_size={grain_size!r}, elongation={elongation!r}."
        )
    if not _is_number(spread) or not 0.0 <= spread <= 1.0:
        raise InputError(f"spread is a number from 0 to 1. Received: {spread!r}.")
    if not isinstance(colouring, str) or colouring not in COLOURINGS:
        raise InputError(f"colouring is one of {', '.join(COLOURINGS)}. Received: {colouring!r}.")

    images = np.empty((n, size, size, COLOURINGS[colouring]), np.float32)
    grain_map = np.empty((n, size, size), np.int32)
    statistics = []
    for i in tqdm(range(n), desc="polycrystals", unit="image", disable=not progress):
        rng = np.random.default_rng([seed, first + i])
        grain_map[i] = _grains(rng, size, rng.uniform(*diameters), float(spread), rng.uniform(*ratios))
        statistics.append(grain_statistics(grain_map[i]))
        images[i] = _paint(rng, grain_map[i], statistics[i].number_of_grains, colouring)
    return Polycrystals(images, grain_map, statistics)


def grain_statistics(grain_map: np.ndarray) -> GrainStatistics:
    """Measure a periodic grain map.

    Args:
        grain_map: Labels 0 to k - 1, each present, of shape (height, width). The aspect ratio takes it that no grain
            spans more than half the image.

    Returns:
        The statistics; lengths are in pixels.

    Raises:
        InputError: The map is not two-dimensional and of whole numbers, or a label is missing.
    """
    labels = np.asarray(grain_map)
    if labels.ndim != 2 or labels.size == 0 or labels.dtype.kind not in "iu" or labels.min() < 0:
        raise InputError(
            "A grain map is a two-dimensional array of labels from 0. "
            f"Received: shape {labels.shape}, dtype {labels.dtype}."
        )
    along_x, along_y = _profiles(labels, int(labels.max()) + 1)
    areas = along_x.sum(axis=1)
    if not areas.all():
        raise InputError(f"Every label from 0 to the largest is in the map. Received: none of {np.argmin(areas)}.")
    diameters = np.sqrt(areas * (4.0 / np.pi))
    log_ratios = 0.5 * np.log(_variances(along_x, areas) / _variances(along_y, areas))
    return GrainStatistics(
        number_of_grains=len(areas),
        mean_diameter=float(diameters.mean()),
        log_diameter_std=float(np.log(diameters).std()),
        aspect_ratio=float(np.exp(log_ratios.mean())),
        boundary_fraction=float(np.count_nonzero(_boundary(labels)) / labels.size),
        diameters=diameters,
    )


def ipf_colours(directions: np.ndarray) -> np.ndarray:
    """The inverse pole figure colours of directions in a cubic crystal.

    Symmetry brings a direction into the standard triangle with corners 001, 011 and 111, where it is a sum of the
    three unit corner vectors with weights of 0 or more. These are its red, green and blue, over the largest.

    Args:
        directions: Vectors in crystal axes, of any length but 0 and of shape (..., 3).

    Returns:
        Colours in [0, 1], of shape (..., 3): 001 is red, 011 green and 111 blue.

    Raises:
        InputError: The last axis is not of length 3, or a vector is zero or not finite.
    """
    vectors = np.asarray(directions, dtype=float)
    if vectors.ndim == 0 or vectors.shape[-1] != 3:
        raise InputError(f"Directions have three components. Received: shape {vectors.shape}.")
    low, middle, high = np.moveaxis(np.sort(np.abs(vectors), axis=-1), -1, 0)
    weights = np.stack([high - middle, np.sqrt(2.0) * (middle - low), np.sqrt(3.0) * low], axis=-1)
    largest = weights.max(axis=-1, keepdims=True, initial=0.0)
    if not (np.isfinite(largest) & (largest > 0.0)).all():
        raise InputError(f"Directions are finite and not zero. Received: {directions!r}.")
    return weights / largest


def _grains(rng: np.random.Generator, size: int, diameter: float, spread: float, elongation: float) -> np.ndarray:
    """One grain map. `elongation` stretches a map of round grains, so the periods are exact."""
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
            along_x, along_y = _profiles(_nearest(offsets, weights), count)
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


def _profiles(labels: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """How many pixels each grain has in every column and in every row: (count, width) and (count, height)."""
    height, width = labels.shape
    columns = np.bincount((labels * width + np.arange(width)).ravel(), minlength=count * width)
    rows = np.bincount((labels * height + np.arange(height)[:, None]).ravel(), minlength=count * height)
    return columns.reshape(count, width), rows.reshape(count, height)


def _variances(profiles: np.ndarray, areas: np.ndarray) -> np.ndarray:
    """The variance of position along one periodic axis, in pixels^2, from the pixels in each line."""
    length = profiles.shape[1]
    lines = np.arange(length) / length
    shares = profiles / areas[:, None]
    centres = np.arctan2(shares @ np.sin(2.0 * np.pi * lines), shares @ np.cos(2.0 * np.pi * lines)) / (2.0 * np.pi)
    offsets = lines - centres[:, None]
    offsets -= np.rint(offsets)
    squares = (shares * offsets**2).sum(axis=1) - (shares * offsets).sum(axis=1) ** 2
    return squares * length**2 + 1.0 / 12.0  # a pixel has a width of its own


def _boundary(labels: np.ndarray) -> np.ndarray:
    """True where the right or the lower neighbour, across the border if need be, is another grain."""
    return (labels != np.roll(labels, -1, axis=1)) | (labels != np.roll(labels, -1, axis=0))


def _paint(rng: np.random.Generator, labels: np.ndarray, count: int, colouring: str) -> np.ndarray:
    if colouring == "boundary":
        return ~_boundary(labels)[:, :, None]
    if colouring == "grey":
        return rng.random((count, 1), dtype=np.float32).take(labels, axis=0)
    # Four normal numbers are a quaternion uniform in direction, which is a uniform rotation.
    orientations = Rotation.from_quat(rng.standard_normal((count, 4)))
    return ipf_colours(orientations.apply([0.0, 0.0, 1.0], inverse=True)).astype(np.float32).take(labels, axis=0)


def _range(name: str, value: float | tuple[float, float], low: float) -> tuple[float, float]:
    ends = (value, value) if _is_number(value) else value
    if not isinstance(ends, tuple | list) or len(ends) != 2 or not all(map(_is_number, ends)):
        raise InputError(f"{name} is a number or a pair (low, high). Received: {value!r}.")
    if not low <= ends[0] <= ends[1]:
        raise InputError(f"{name} is at least {low:g} and goes from low to high. Received: {value!r}.")
    return float(ends[0]), float(ends[1])


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and bool(np.isfinite(value))
