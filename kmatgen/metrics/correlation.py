"""The two-point correlation of images and volumes: probability that two points so far apart lie in the same phase.

`kmatgen.adversarial.correlation` holds the same function for training: differentiable, in TensorFlow and float32.
This one judges samples: in float64, many at a time, and averaged over directions.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
from scipy import fft, sparse

from kmatgen.errors import InputError
from kmatgen.metrics.inputs import as_fields, check_positive, check_same_sides

_CHUNK = 1 << 19  # values transformed at a time: they fit into the cache, and memory does not grow with the samples


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
    return np.concatenate([_correlate(chunk, periodic) for chunk in _chunks(fields)])


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
    average, distance = _rings(fields.shape[1:])
    curves = [(average @ _correlate(chunk, periodic).reshape(len(chunk), -1).T).T for chunk in _chunks(fields)]
    return Curve(distance * pixel_size, np.concatenate(curves))


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
    return Curve(distance * check_positive("pixel_size", pixel_size), (average @ maps.reshape(len(maps), -1).T).T)


def pair_counts(sides: tuple[int, ...]) -> np.ndarray:
    """How many pairs of pixels are apart by each vector in a sample that does not continue at its sides."""
    return math.prod(np.ix_(*(side - np.abs(lags(side)) for side in sides)))


def lags(side: int) -> np.ndarray:
    """Parts of the vectors along one axis in pixels: 0, 1, ..., -1; the half of an even side is negative."""
    return np.fft.ifftshift(np.arange(side) - side // 2)


def _correlate(fields: np.ndarray, periodic: bool) -> np.ndarray:
    sides, axes = fields.shape[1:], tuple(range(1, fields.ndim))
    # Half a side of zeros keeps the ends of a vector, at most so long, from meeting around the sample.
    lengths = sides if periodic else tuple(fft.next_fast_len(side + side // 2, real=True) for side in sides)
    spectrum = fft.rfftn(fields.astype(np.float64, copy=False), lengths, axes, workers=-1)
    power = spectrum.real**2 + spectrum.imag**2
    sums = fft.irfftn(power, lengths, axes, workers=-1)
    if periodic:
        return sums / math.prod(sides)
    where = [lags(side) % length for side, length in zip(sides, lengths, strict=True)]
    return sums[np.ix_(range(len(sums)), *where)] / pair_counts(sides)


def _chunks(fields: np.ndarray) -> list[np.ndarray]:
    if len(fields) == 0:
        raise InputError("fields must hold at least 1 sample. Received: 0.")
    step = max(1, _CHUNK // math.prod(fields.shape[1:]))
    return [fields[start : start + step] for start in range(0, len(fields), step)]


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
