"""The two-point correlation of images and volumes: probability that two points so far apart lie in the same phase.

`kmatgen.adversarial.correlation` holds the same function for training: differentiable, in TensorFlow and float32.
This one judges samples: in float64, many at a time, and averaged over directions.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import fft, sparse

from kmatgen.metrics.inputs import as_fields, check_positive, check_same_sides

_CHUNK = 1 << 19  # values transformed at a time: they fit into the cache, and memory does not grow with the samples
_SPECTRAL = 1 << 24  # largest matrix from power spectra to rings


class Curve(NamedTuple):
    """A function of distance for each of n samples.

    Attributes:
        distance: (k,), in the unit of the pixel size.
        values: (n, k).
    """

    distance: np.ndarray
    values: np.ndarray


def two_point_correlation(fields: np.ndarray, periodic: bool = True) -> np.ndarray:
    """`S2(r) = <I(x) I(x + r)>` for every vector r (Torquato, "Random Heterogeneous Materials", 2002, 2.2).

    Args:
        fields: Phase indicators in [0, 1], `(n, height, width)` or `(n, depth, height, width)`. Any other grey
            values give their autocorrelation.
        periodic: Whether samples continue at their opposite sides. If not, the average at r is over the pairs of
            pixels that both lie inside.

    Returns:
        float64 of the shape of `fields`. Entry `[b, i, j]` belongs to the vector `(i, j)` in pixels, in the order
        of `numpy.fft.fftfreq`: no part exceeds half a side.
    """
    fields = as_fields("fields", fields)
    return _in_chunks(lambda chunk: _correlate(chunk, periodic), fields)


def two_point_curve(fields: np.ndarray, periodic: bool = True, pixel_size: float = 1.0) -> Curve:
    """S2 averaged over directions, in rings one pixel wide, up to half the shortest side.

    `values[:, 0]` is the phase fraction; far out, without long-range order, the curve goes to its square.

    Args:
        fields: Phase indicators in [0, 1], `(n, height, width)` or `(n, depth, height, width)`.
        periodic: Whether samples continue at their opposite sides.
        pixel_size: Side of a pixel, in the unit that distances shall have.

    Returns:
        A `Curve`; a distance is the mean length of the vectors in its ring.
    """
    fields = as_fields("fields", fields)
    check_positive("pixel_size", pixel_size)
    sides = fields.shape[1:]
    average, distance = _rings(sides)
    if average.shape[0] * math.prod(_lengths(sides, periodic)) // 2 <= _SPECTRAL:
        weights = _spectral_rings(sides, periodic)
        values = _in_chunks(lambda chunk: _power(chunk, periodic).reshape(len(chunk), -1) @ weights, fields)
    else:
        values = _in_chunks(lambda chunk: _average(average, _correlate(chunk, periodic)), fields)
    return Curve(distance * pixel_size, values)


def rms_two_point_error(real: np.ndarray, generated: np.ndarray, periodic: bool = True) -> float:
    """How far the mean S2 of generated samples is from that of real ones.

    With `S(r)` the mean over the samples of `two_point_curve`, it is the root of the mean over all rings r, from 0 to
    half the shortest side, of `(S_generated(r) - S_real(r))^2`: a probability, 0 for the same and below 1.

    Args:
        real: Phase indicators in [0, 1], `(n, height, width)` or `(n, depth, height, width)`.
        generated: The same of generated samples; their number may differ, their sides not.
        periodic: Whether samples continue at their opposite sides.
    """
    real, generated = as_fields("real", real), as_fields("generated", generated)
    check_same_sides(real, generated)
    means = [two_point_curve(fields, periodic).values.mean(axis=0) for fields in (real, generated)]
    return float(np.sqrt(np.mean((means[1] - means[0]) ** 2)))


def radial_average(maps: np.ndarray, pixel_size: float = 1.0) -> Curve:
    """Average maps over directions as `two_point_curve` does, for instance those of `cluster_correlation`.

    Args:
        maps: `(n, ...sides)`, vectors in the order of `numpy.fft.fftfreq`.
        pixel_size: Side of a pixel.
    """
    maps = as_fields("maps", maps)
    average, distance = _rings(maps.shape[1:])
    return Curve(distance * check_positive("pixel_size", pixel_size), _average(average, maps))


def pair_counts(sides: tuple[int, ...]) -> np.ndarray:
    """How many pairs of pixels are apart by each vector in a sample that does not continue at its sides."""
    return math.prod(np.ix_(*(side - np.abs(lags(side)) for side in sides)))


def lags(side: int) -> np.ndarray:
    """Parts of the vectors along one axis in pixels: 0, 1, ..., -1; the half of an even side is negative."""
    return np.fft.ifftshift(np.arange(side) - side // 2)


def _in_chunks(function: Callable[[np.ndarray], np.ndarray], fields: np.ndarray) -> np.ndarray:
    """Apply a function to some fields at a time."""
    step = max(1, _CHUNK // math.prod(fields.shape[1:]))
    return np.concatenate([function(fields[start : start + step]) for start in range(0, len(fields), step)])


def _lengths(sides: tuple[int, ...], periodic: bool) -> tuple[int, ...]:
    """What samples are padded to: half a side of zeros keeps the ends of a vector from meeting around the sample."""
    return sides if periodic else tuple(fft.next_fast_len(side + side // 2, real=True) for side in sides)


def _power(fields: np.ndarray, periodic: bool) -> np.ndarray:
    """The power spectrum, of which S2 is the inverse transform."""
    lengths = _lengths(fields.shape[1:], periodic)
    # Axis by axis, so that the lines of zeros that padding adds are not transformed.
    spectrum = fft.rfft(fields.astype(np.float64, copy=False), lengths[-1], -1, workers=-1)
    for axis in range(1, fields.ndim - 1):
        spectrum = fft.fft(spectrum, lengths[axis - 1], axis, overwrite_x=True, workers=-1)
    power = np.square(spectrum.real)
    power += np.square(spectrum.imag)
    return power


def _correlate(fields: np.ndarray, periodic: bool) -> np.ndarray:
    sides = fields.shape[1:]
    lengths = _lengths(sides, periodic)
    sums = fft.irfftn(_power(fields, periodic), lengths, range(1, fields.ndim), workers=-1)
    if periodic:
        return sums / math.prod(sides)
    where = [lags(side) % length for side, length in zip(sides, lengths, strict=True)]
    return sums[np.ix_(range(len(sums)), *where)] / pair_counts(sides)


def _average(average: sparse.csr_array, maps: np.ndarray) -> np.ndarray:
    return (average @ maps.reshape(len(maps), -1).T).T


@functools.lru_cache(maxsize=8)
def _rings(sides: tuple[int, ...]) -> tuple[sparse.csr_array, np.ndarray]:
    """The average over rings as a matrix (rings, vectors), and the mean length of the vectors of each ring."""
    lengths = np.sqrt(sum(part.astype(float) ** 2 for part in np.ix_(*map(lags, sides)))).ravel()
    rings = np.rint(lengths).astype(int)
    inside = np.flatnonzero(rings <= min(sides) // 2)
    counts = np.bincount(rings[inside])
    average = sparse.csr_array(
        (1.0 / counts[rings[inside]], (rings[inside], inside)), shape=(len(counts), len(lengths))
    )
    return average, average @ lengths


@functools.lru_cache(maxsize=8)
def _spectral_rings(sides: tuple[int, ...], periodic: bool) -> np.ndarray:
    """The way from power spectra to averages over rings as a matrix (frequencies, rings).

    Both the inverse transform and the average are linear: their product, computed once, saves the transform of every
    sample and the map of all vectors.
    """
    average, _ = _rings(sides)
    lengths = _lengths(sides, periodic)
    pairs = np.full(sides, math.prod(sides)) if periodic else pair_counts(sides)
    maps = np.zeros((average.shape[0], *lengths))
    where = [lags(side) % length for side, length in zip(sides, lengths, strict=True)]
    maps[np.ix_(range(len(maps)), *where)] = average.toarray().reshape(-1, *sides) / pairs
    weights = fft.rfftn(maps, axes=range(1, maps.ndim)).real / math.prod(lengths)
    weights[..., 1 : (lengths[-1] + 1) // 2] *= 2.0  # stand for their complex conjugates, too
    return weights.reshape(len(weights), -1).T
