"""Distances between the sites of crystals under periodic boundaries, for whole tables at once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from kmatgen.representations.crystal_table import CrystalTable

_IMAGES = np.array(list(itertools.product((-1, 0, 1), repeat=3)), np.float64)
_BLOCK = 1 << 21  # distances held at a time
_MOST_STEPS = 100  # of a lattice reduction; a few are enough for any cell that is not degenerate


def reduced_vectors(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Minkowski-reduced lattice vectors: the three shortest that span the lattice.

    In such a cell the shortest vector between two sites is at most one image away. Alternates between reducing the
    shorter two vectors and bringing the third as near as possible to their lattice (Semaev, Lect. Notes Comput. Sci.
    2146 (2001) 181).

    Args:
        matrix: `(n, 3, 3)` lattice vectors in rows, Angstrom.

    Returns:
        The vectors `(n, 3, 3)` and the whole numbers `(n, 3, 3)` that make them of the given ones:
        `reduced = numbers @ matrix`. NaN where the input is not finite.
    """
    matrix = np.where(np.isfinite(matrix).all(axis=(1, 2), keepdims=True), matrix, np.nan)
    numbers = np.tile(np.eye(3), (len(matrix), 1, 1))
    for _ in range(_MOST_STEPS):
        vectors = numbers @ matrix
        order = np.argsort((vectors**2).sum(axis=-1), axis=1, kind="stable")
        numbers = np.take_along_axis(numbers, order[:, :, None], axis=1)
        better = _shortened(numbers, numbers @ matrix)
        if (better == numbers).all():
            break
        numbers = better
    return numbers @ matrix, numbers


def _shortened(numbers: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """One step of the reduction: b by a, then c by a and b, of vectors in order of length."""
    gram = vectors @ np.swapaxes(vectors, 1, 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        b_by_a = _whole(gram[:, 0, 1] / gram[:, 0, 0])
        area = gram[:, 0, 0] * gram[:, 1, 1] - gram[:, 0, 1] ** 2
        along_a = (gram[:, 0, 2] * gram[:, 1, 1] - gram[:, 1, 2] * gram[:, 0, 1]) / area
        along_b = (gram[:, 1, 2] * gram[:, 0, 0] - gram[:, 0, 2] * gram[:, 0, 1]) / area
    turned = numbers.copy()
    turned[:, 1] -= b_by_a[:, None] * numbers[:, 0]
    flat = b_by_a == 0  # c may only be brought near to vectors that are reduced themselves
    steps = np.stack([_whole(along_a), _whole(along_b)], axis=-1)[:, None] + _IMAGES[_IMAGES[:, 2] == 0, :2]
    tried = vectors[:, None, 2] - steps @ vectors[:, :2]
    squares = (tried**2).sum(axis=-1)
    nearest = np.argmin(squares, axis=1)
    rows = np.arange(len(numbers))
    shorter = flat & (squares[rows, nearest] < gram[:, 2, 2] * (1 - 1e-9))
    moved = numbers[:, 2] - np.einsum("ni,nij->nj", steps[rows, nearest], numbers[:, :2])
    turned[shorter, 2] = moved[shorter]
    return turned


def _whole(values: np.ndarray) -> np.ndarray:
    """Rounded to whole numbers; 0 where there is no finite one, and just below a half, so that ties do not swap."""
    return np.where(np.isfinite(values), np.sign(values) * np.ceil(np.abs(values) - 0.5 - 1e-9), 0.0)


def periodic_distances(table: CrystalTable) -> np.ndarray:
    """The shortest distance between any two sites of each crystal, images included.

    Args:
        table: `n` crystals of at most `sites` sites.

    Returns:
        `(n, sites, sites)` in Angstrom. On the diagonal stands the distance of a site from its own nearest image, the
        shortest lattice vector; infinity where there is no site; NaN where lattice or coordinates are not finite.
    """
    n, sites = table.species.shape
    distances = np.full((n, sites, sites), np.inf)
    for rows in row_blocks(n, sites**2 * len(_IMAGES), _BLOCK):
        distances[rows] = _block_distances(table[rows])
    return distances


def row_blocks(n: int, size: int, most: int) -> Iterator[slice]:
    """Slices of `n` rows that have `size` values each, so many rows at a time that they hold at most `most` values."""
    rows = max(1, most // max(1, size))
    return (slice(start, start + rows) for start in range(0, n, rows))


def _block_distances(table: CrystalTable) -> np.ndarray:
    vectors, numbers = reduced_vectors(table.matrix)
    with np.errstate(invalid="ignore"):
        coords = table.coords @ np.linalg.inv(numbers)
        between = coords[:, :, None] - coords[:, None]
        between -= np.round(between)
        between = between @ vectors[:, None]
        images = _IMAGES @ vectors
        # |between + image|^2 without the length of between, which is the same for all images
        lengths = 2 * between @ np.swapaxes(images, 1, 2)[:, None] + (images**2).sum(axis=-1)[:, None, None]
        sites = np.arange(table.species.shape[1])
        lengths[:, sites, sites, len(_IMAGES) // 2] = np.inf  # a site is no neighbour of itself
        nearest = lengths.argmin(axis=-1)
        between += images[np.arange(len(table))[:, None, None], nearest]
    shortest = np.linalg.norm(between, axis=-1)
    absent = ~table.mask
    shortest[absent[:, :, None] | absent[:, None]] = np.inf
    return shortest
