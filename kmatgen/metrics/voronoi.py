"""Voronoi cells of atoms in crystals: their faces, as seen from the atom.

A plane half-way to a neighbour at p is the set of x with x . q = 1 for q = 2 p / p^2. So the cell is the polar body of
the convex hull of all q, and one small hull an atom does what a tessellation of all atoms around it would do.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from kmatgen.representations.distances import reduced_vectors

Crystal = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Lattice vectors `(3, 3)` in Angstrom, atomic numbers `(sites,)`, fractional coordinates `(sites, 3)`."""

_CUTOFF = 7.0  # Angstrom, of the neighbours that may bound a cell; more if they leave it open
_SMALLEST_DISTANCE = 1e-6  # Angstrom; two atoms nearer than that have no cells
_MOST_IMAGES = 20_000
_MOST_VECTORS = 2_000_000  # from a crystal's sites to images
_DIAGONALS = ((1, 1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, -1))


class Faces(NamedTuple):
    """Faces of Voronoi cells, a row each.

    Attributes:
        atom: `(rows,)` number of the atom in the cell.
        vector: `(rows, 3)` from that atom to the neighbour behind the face, Angstrom.
        species: `(rows,)` atomic number of the neighbour.
        solid_angle: `(rows,)` of the face seen from the atom, steradian.
        area: `(rows,)` in square Angstrom.
    """

    atom: np.ndarray
    vector: np.ndarray
    species: np.ndarray
    solid_angle: np.ndarray
    area: np.ndarray


def voronoi_faces(crystals: list[Crystal]) -> tuple[Faces, np.ndarray]:
    """The faces of the cells of all atoms of some crystals.

    Only neighbours within 7 Angstrom bound a cell, or within up to the longest diagonal of the lattice where those
    leave it open.

    Args:
        crystals: All finite, with a volume.

    Returns:
        The faces, atoms numbered through all crystals, and for each crystal whether all its cells are closed: those of
        an open one are missing.
    """
    corners, closed, first = [], np.ones(len(crystals), bool), 0
    for row, (matrix, species, coords) in enumerate(crystals):
        cells = _cells(matrix, species, coords)
        closed[row] = cells is not None
        for site, cell in enumerate(cells or ()):
            corners.append((np.full(len(cell[0]), first + site), *cell))
        first += len(species)
    if not corners:
        return Faces(np.zeros(0, int), np.zeros((0, 3)), np.zeros(0, int), np.zeros(0), np.zeros(0)), closed
    return _faces(*(np.concatenate(columns) for columns in zip(*corners, strict=True))), closed


def _cells(matrix: np.ndarray, species: np.ndarray, coords: np.ndarray) -> list[tuple[np.ndarray, ...]] | None:
    """The corners of each site's Voronoi cell (see `_cell`), or `None` if one stays open."""
    longest = max(np.linalg.norm(np.array(corner) @ matrix) for corner in _DIAGONALS) + 0.01
    cells: list[tuple[np.ndarray, ...]] = []
    for site, (vectors, others) in enumerate(_around(matrix, coords, _CUTOFF)):
        cutoff, cell = _CUTOFF, _cell(vectors)
        while cell is None and cutoff < longest:
            cutoff = min(2 * cutoff, longest + 0.001)
            vectors, others = _around(matrix, coords, cutoff)[site]
            cell = _cell(vectors)
        if cell is None:
            return None
        neighbour, corner = cell
        cells.append((neighbour, corner, vectors[neighbour], species[others[neighbour]]))
    return cells


def _around(matrix: np.ndarray, coords: np.ndarray, cutoff: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each site the vectors to all sites and images within the cut-off, and which sites those are.

    In a cell so thin that they are too many to hold there are none.
    """
    vectors, numbers = (values[0] for values in reduced_vectors(matrix[None]))
    heights = 1.0 / np.linalg.norm(np.linalg.inv(vectors), axis=0)
    reach = np.floor(cutoff / heights + 0.5)
    number = np.prod(2 * reach + 1)
    if number > _MOST_IMAGES or number * len(coords) ** 2 > _MOST_VECTORS:
        return [(np.zeros((0, 3)), np.zeros(0, int))] * len(coords)
    images = np.array(list(itertools.product(*(range(-most, most + 1) for most in reach.astype(int).tolist()))), float)
    coords = coords @ np.linalg.inv(numbers)
    between = coords[None] - coords[:, None]
    between -= np.round(between)
    found = (between @ vectors)[:, :, None] + images @ vectors
    squares = (found**2).sum(axis=-1)
    squares[range(len(coords)), range(len(coords)), len(images) // 2] = np.inf
    near = squares <= cutoff**2
    others = np.broadcast_to(np.arange(len(coords))[:, None], near.shape[1:])
    return [(found[site, mask], others[mask]) for site, mask in enumerate(near)]


def _cell(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The corners of the Voronoi cell around the origin among points.

    Returns:
        For each corner of each face, the number of the neighbour and the position `(corners, 3)`; faces meet in
        shared corners, which come once for each. `None` if the points do not enclose the origin.
    """
    from scipy.spatial import ConvexHull, QhullError

    squares = (vectors**2).sum(axis=1, keepdims=True)
    if len(vectors) < 4 or squares.min() < _SMALLEST_DISTANCE**2:
        return None
    try:
        hull = ConvexHull(2.0 * vectors / squares)
    except QhullError:  # flat: all neighbours in a plane
        return None
    offsets = hull.equations[:, 3]
    if (offsets > -1e-12).any():
        return None
    corners = hull.equations[:, :3] / -offsets[:, None]
    return hull.simplices.ravel(), np.repeat(corners, 3, axis=0)


def _faces(
    atom: np.ndarray, neighbour: np.ndarray, corner: np.ndarray, vector: np.ndarray, species: np.ndarray
) -> Faces:
    """Solid angles and areas of faces from their corners: each face is fanned into triangles around its middle."""
    keys = atom * (int(neighbour.max()) + 1) + neighbour
    face = np.unique(keys, return_inverse=True)[1]
    first = np.unique(face, return_index=True)[1]
    counts = np.bincount(face)
    middles = np.stack([np.bincount(face, corner[:, axis]) for axis in range(3)], axis=-1) / counts[:, None]
    order = np.lexsort((_turn(corner - middles[face], vector), face))
    corner, face = corner[order], face[order]
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    following = np.arange(len(face)) + 1
    following[starts + counts - 1] = starts
    middle, following = middles[face], corner[following]
    areas = np.linalg.norm(np.cross(corner - middle, following - middle), axis=-1) / 2
    return Faces(
        atom[first],
        vector[first],
        species[first],
        np.bincount(face, _solid_angle(middle, corner, following)),
        np.bincount(face, areas),
    )


def _turn(points: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """The angle of points around their axis, from any zero that is the same for equal axes."""
    aside = np.eye(3)[np.abs(axis).argmin(axis=1)]
    across = np.cross(axis, aside)
    along = np.cross(axis, across) / np.linalg.norm(axis, axis=-1, keepdims=True)
    return np.arctan2((points * along).sum(axis=-1), (points * across).sum(axis=-1))


def _solid_angle(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Of triangles seen from the origin (van Oosterom and Strackee, IEEE Trans. Biomed. Eng. 30 (1983) 125)."""
    lengths = [np.linalg.norm(side, axis=-1) for side in (a, b, c)]
    triple = np.abs((a * np.cross(b, c)).sum(axis=-1))
    rest = lengths[0] * lengths[1] * lengths[2]
    rest += (a * b).sum(axis=-1) * lengths[2] + (a * c).sum(axis=-1) * lengths[1] + (b * c).sum(axis=-1) * lengths[0]
    return 2.0 * np.arctan2(triple, rest)
