"""Distances between two samples of feature vectors by kernels: MMD and its polynomial form, KID."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import pdist
from scipy.special import ndtri

from kmatgen.errors import InputError
from kmatgen.metrics.inputs import as_feature_pair

Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]

_BLOCK = 1 << 23  # kernel values held at a time
_MEDIAN_SAMPLES = 1000


class Estimate(NamedTuple):
    """A value with the ends of its confidence interval."""

    value: float
    low: float
    high: float


def kid(
    real: np.ndarray,
    generated: np.ndarray,
    *,
    subsets: int = 100,
    subset_size: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Kernel inception distance: unbiased squared MMD with the kernel `(x.y / d + 1)^3` (Binkowski et al. 2018).

    Its expectation does not depend on the number of samples, and is 0 for equal distributions; so a single value may
    be below 0. Time is that of `n^2 d` operations, memory does not grow with the number of samples squared.

    Args:
        real: Features `(n, d)`, at least 4.
        generated: Features `(m, d)`, at least 4.
        subsets: Random subsets of both samples, from which the interval follows.
        subset_size: Vectors in a subset, at most half of the smaller sample.
        confidence: Of the interval, above 0 and below 1.
        seed: Of the choice of subsets.

    Returns:
        The value from all samples, and an interval around it from the spread over the subsets, scaled to the whole
        sample as in the delete-d jackknife (Shao and Wu 1989). It is cautious where the true distance is 0.
    """
    real, generated = as_feature_pair(real, generated, least=4)

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x @ y.T / x.shape[1] + 1.0) ** 3

    return _squared_mmd(real, generated, kernel, subsets, subset_size, confidence, seed)


def mmd(
    real: np.ndarray,
    generated: np.ndarray,
    *,
    bandwidth: float | None = None,
    subsets: int = 100,
    subset_size: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Unbiased squared maximum mean discrepancy with a Gaussian kernel (Gretton et al., JMLR 13, 2012, equation 3).

    Args:
        real: Features `(n, d)`, at least 4.
        generated: Features `(m, d)`, at least 4.
        bandwidth: Sigma of `exp(-|x - y|^2 / (2 sigma^2))`. None: the median distance between vectors of both
            samples together, as in section 8 there. To compare models give all the same.
        subsets: As in `kid`.
        subset_size: As in `kid`.
        confidence: As in `kid`.
        seed: As in `kid`.

    Returns:
        The value, which may be below 0, and its interval, as in `kid`.
    """
    real, generated = as_feature_pair(real, generated, least=4)
    sigma = median_distance(real, generated, seed) if bandwidth is None else bandwidth

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        squares = (x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1) - 2.0 * (x @ y.T)
        return np.exp(np.maximum(squares, 0.0) / (-2.0 * sigma**2))

    return _squared_mmd(real, generated, kernel, subsets, subset_size, confidence, seed)


def median_distance(real: np.ndarray, generated: np.ndarray, seed: int = 0) -> float:
    """The median distance between vectors of both samples together, of 1000 each drawn at random if there are more."""
    real, generated = as_feature_pair(real, generated)
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(x)[:_MEDIAN_SAMPLES] for x in (real, generated)]
    median = float(np.median(pdist(np.concatenate(drawn))))
    if median == 0.0:
        raise InputError(
            "The median distance between features must be above 0; give a bandwidth, or features that differ. "
            f"Received: {len(real)} real and {len(generated)} generated vectors, more than half of them alike."
        )
    return median


def _squared_mmd(
    x: np.ndarray, y: np.ndarray, kernel: Kernel, subsets: int, subset_size: int, confidence: float, seed: int
) -> Estimate:
    if subsets < 2 or subset_size < 2 or not 0.0 < confidence < 1.0:
        raise InputError(
            "subsets and subset_size must be at least 2, confidence above 0 and below 1. "
            f"Received: {subsets=}, {subset_size=}, {confidence=}."
        )
    n = min(len(x), len(y))
    size = min(subset_size, n // 2)
    rng = np.random.default_rng(seed)
    in_x, in_y = (_memberships(rng, len(z), subsets, size) for z in (x, y))
    within_x = _pair_sums(x, x, in_x, in_x, kernel) / _ordered_pairs(in_x)
    within_y = _pair_sums(y, y, in_y, in_y, kernel) / _ordered_pairs(in_y)
    between = _pair_sums(x, y, in_x, in_y, kernel) / (in_x.sum(axis=1) * in_y.sum(axis=1))
    value, *parts = within_x + within_y - 2.0 * between
    error = np.std(parts, ddof=1) * np.sqrt(size / (n - size))
    reach = float(ndtri(0.5 + 0.5 * confidence) * error)
    return Estimate(float(value), float(value) - reach, float(value) + reach)


def _memberships(rng: np.random.Generator, n: int, subsets: int, size: int) -> np.ndarray:
    """1 where a vector is in a subset, (1 + subsets, n); the first subset is everything."""
    members = np.zeros((1 + subsets, n))
    members[0] = 1.0
    for row in members[1:]:
        row[rng.choice(n, size, replace=False)] = 1.0
    return members


def _ordered_pairs(members: np.ndarray) -> np.ndarray:
    counts = members.sum(axis=1)
    return counts * (counts - 1.0)


def _pair_sums(x: np.ndarray, y: np.ndarray, in_x: np.ndarray, in_y: np.ndarray, kernel: Kernel) -> np.ndarray:
    """For each subset the sum of the kernel over its pairs, without those of a vector with itself."""
    sums = np.zeros(len(in_x))
    step = max(1, _BLOCK // len(y))
    for start in range(0, len(x), step):
        values = kernel(x[start : start + step], y)
        if x is y:
            rows = np.arange(len(values))
            values[rows, start + rows] = 0.0
        sums += ((in_y @ values.T) * in_x[:, start : start + step]).sum(axis=1)
    return sums
