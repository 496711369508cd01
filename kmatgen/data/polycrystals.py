"""Synthetic polycrystals: periodic grain maps with a chosen grain size, spread and elongation, and their images."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from kmatgen.data.laguerre import laguerre_grains, line_profiles
from kmatgen.data.ranges import check_whole_numbers, is_number, number_range
from kmatgen.errors import InputError

COLOURINGS = {"ipf": 3, "grey": 1, "boundary": 1}  # name -> number of channels


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
    check_whole_numbers(n=(n, 0), size=(size, 4), seed=(seed, 0), first=(first, 0))
    diameters = number_range("grain_size", grain_size, 2.0)
    ratios = number_range("elongation", elongation, 1.0)
    if diameters[1] * ratios[1] ** 0.5 > size:
        raise InputError(
            f"A grain has to fit into the image: grain_size times the root of elongation is at most {size}. "
            f"Received: grain_size={grain_size!r}, elongation={elongation!r}."
        )
    if not is_number(spread) or not 0.0 <= spread <= 1.0:
        raise InputError(f"spread is a number from 0 to 1. Received: {spread!r}.")
    if not isinstance(colouring, str) or colouring not in COLOURINGS:
        raise InputError(f"colouring is one of {', '.join(COLOURINGS)}. Received: {colouring!r}.")

    images = np.empty((n, size, size, COLOURINGS[colouring]), np.float32)
    grain_map = np.empty((n, size, size), np.int32)
    statistics = []
    for i in tqdm(range(n), desc="polycrystals", unit="image", disable=not progress):
        rng = np.random.default_rng([seed, first + i])
        grain_map[i] = laguerre_grains(rng, size, rng.uniform(*diameters), float(spread), rng.uniform(*ratios))
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
    along_x, along_y = line_profiles(labels, int(labels.max()) + 1)
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
