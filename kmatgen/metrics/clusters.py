"""Connected clusters of a phase: their correlation, and whether they reach from side to side."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse import csgraph

from kmatgen.metrics.correlation import pair_counts, two_point_correlation
from kmatgen.metrics.inputs import as_masks, check_axis

_SMALL = 64  # pixels; the pairs of pixels of smaller clusters are counted one by one, larger ones transformed
_CHUNK = 1 << 22  # values of cluster masks held at a time


def label_clusters(
    phases: np.ndarray, phase: int = 1, *, periodic: bool | Sequence[int] = True, diagonal: bool = False
) -> np.ndarray:
    """Number the connected clusters of a phase.

    Args:
        phases: Labels from 0, `(n, height, width)` or `(n, depth, height, width)`.
        phase: The phase.
        periodic: Whether samples continue at their opposite sides, or along which of their axes, from 0.
        diagonal: Whether pixels that share only a corner or an edge are connected; if not, a side.

    Returns:
        int64 of the shape of `phases`: 0 outside the phase, else the cluster, from 1 on through all samples, so that
        clusters of different samples have different numbers.
    """
    masks = as_masks("phases", phases, phase)
    axes = masks.ndim - 1
    around = range(axes) if periodic is True else [] if periodic is False else periodic
    return _label(masks, [1 + check_axis(axis, axes) for axis in around], diagonal)


def cluster_correlation(
    phases: np.ndarray, phase: int = 1, *, periodic: bool = True, diagonal: bool = False
) -> np.ndarray:
    """`C2(r)`: probability that both ends of a vector r lie in the same cluster of a phase.

    Torquato, Beasley and Chiew, J. Chem. Phys. 88 (1988) 6540. It is the part of S2 that is due to connected
    pairs, and tells a percolating phase from islands where S2 does not.

    Args:
        phases: Labels from 0, `(n, height, width)` or `(n, depth, height, width)`.
        phase: The phase.
        periodic: Whether samples continue at their opposite sides.
        diagonal: Whether pixels that share only a corner or an edge are connected.

    Returns:
        As `two_point_correlation`; `radial_average` makes curves of it.
    """
    labels = label_clusters(phases, phase, periodic=periodic, diagonal=diagonal)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    sums = _pairs_of_small(labels, (sizes > 0) & (sizes <= _SMALL), periodic)
    sides = labels.shape[1:]
    sums /= math.prod(sides) if periodic else pair_counts(sides)
    sample_of = np.zeros(len(sizes), int)
    sample_of[labels] = np.arange(len(labels)).reshape(-1, *(1,) * len(sides))
    large = np.flatnonzero(sizes > _SMALL)
    step = max(1, _CHUNK // math.prod(sides))
    for start in range(0, len(large), step):
        chosen = large[start : start + step]
        masks = labels[sample_of[chosen]] == chosen.reshape(-1, *(1,) * len(sides))
        np.add.at(sums, sample_of[chosen], two_point_correlation(masks, periodic))
    return sums


def percolating_share(
    phases: np.ndarray, phase: int = 1, *, axis: int = 0, periodic: bool = False, diagonal: bool = False
) -> np.ndarray:
    """The share of a phase that belongs to clusters which reach from one side to the opposite one.

    Args:
        phases: Labels from 0, `(n, height, width)` or `(n, depth, height, width)`.
        phase: The phase.
        axis: The axis of a sample, from 0, whose two sides have to be joined.
        periodic: Whether samples continue at their opposite sides along the other axes.
        diagonal: Whether pixels that share only a corner or an edge are connected.

    Returns:
        float64 `(n,)`: 0 where the phase does not percolate, or where there is none of it.
    """
    phases = np.asarray(phases)
    axis = check_axis(axis, phases.ndim - 1)
    others = [other for other in range(phases.ndim - 1) if other != axis]
    labels = label_clusters(phases, phase, periodic=others if periodic else False, diagonal=diagonal)
    first, last = (np.unique(labels.take(end, axis=1 + axis)) for end in (0, -1))
    spanning = np.intersect1d(first, last)
    within = np.isin(labels, spanning[spanning > 0]).reshape(len(labels), -1).sum(axis=1)
    total = (labels > 0).reshape(len(labels), -1).sum(axis=1)
    return within / np.maximum(total, 1)


def _label(masks: np.ndarray, around: Sequence[int], diagonal: bool) -> np.ndarray:
    neighbours = ndimage.generate_binary_structure(masks.ndim, masks.ndim if diagonal else 1)
    neighbours[[0, 2]] = False  # no connection from sample to sample
    rim = [(1, 1) if axis in around else (0, 0) for axis in range(masks.ndim)]
    rimmed, count = ndimage.label(np.pad(masks, rim, mode="wrap"), neighbours, output=np.int64)
    labels = rimmed[tuple(slice(before, rimmed.shape[axis] - before) for axis, (before, _) in enumerate(rim))]
    if not around:
        return labels
    # A pixel of the rim is one from the opposite side: both its numbers belong to the same cluster.
    pairs = np.unique(np.stack([rimmed.ravel(), np.pad(labels, rim, mode="wrap").ravel()]), axis=1)
    graph = sparse.coo_array((np.ones(pairs.shape[1], bool), tuple(pairs)), shape=(count + 1, count + 1))
    _, merged = csgraph.connected_components(graph, directed=False)
    return merged.astype(np.int64)[labels]  # nothing is joined to 0, which stays the first


def _pairs_of_small(labels: np.ndarray, small: np.ndarray, periodic: bool) -> np.ndarray:
    """How often each vector joins two pixels of the same small cluster, float64 of the shape of the labels."""
    sides = np.array(labels.shape[1:])
    places = np.argwhere(small[labels])
    number = labels[tuple(places.T)]
    order = np.argsort(number, kind="stable")
    number, sample, places = number[order], places[order, 0], places[order, 1:]
    counts = np.zeros(labels.size)
    for gap in range(min(_SMALL, len(number))):
        same = np.flatnonzero(number[gap:] == number[: len(number) - gap])
        for sign in (1, -1) if gap else (1,):
            vectors = sign * (places[same + gap] - places[same])
            inside = periodic | ((-(sides // 2) <= vectors) & (vectors < sides - sides // 2)).all(axis=1)
            where = (sample[same][inside], *(vectors[inside] % sides).T)
            np.add.at(counts, np.ravel_multi_index(where, labels.shape), 1.0)
    return counts.reshape(labels.shape)
