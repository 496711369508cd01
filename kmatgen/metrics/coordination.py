"""Who is a neighbour of an atom, and how surely: the method of CrystalNN, for many atoms at once.

CrystalNN (Pan et al., Inorg. Chem. 60 (2021) 1590) weighs the faces of an atom's Voronoi cell by solid angle, by how compact
they are, by the difference in electronegativity and by distance. The results are those of pymatgen's `CrystalNN` without
oxidation states; what differs is the way. pymatgen tessellates all atoms within 7 Angstrom of each atom, to keep one cell
of it, and walks over the faces in Python. Here a cell comes from the convex hull of its inverted neighbours, and all
else is done on arrays of all faces of all atoms.
"""

from __future__ import annotations

import itertools
from functools import cache
from typing import NamedTuple

import numpy as np

from kmatgen.metrics.crystal_distances import reduced_vectors

_CUTOFF = 7.0  # Angstrom, of the neighbours that may bound a Voronoi cell; more if they leave it open
_DISTANCE_CUTOFFS = (0.5, 1.0)  # Angstrom beyond the sum of covalent radii: weight falls from 1 to 0 between them
_ELECTRONEGATIVITY_WEIGHT = 3.0
_LARGEST_DIFFERENCE = 3.3  # of electronegativities between any two elements
_SMALLEST_FACE = 1e-12  # square Angstrom; smaller ones are where cells touch in an edge or a corner


class Shells(NamedTuple):
    """The weighted neighbours of atoms: a row for each neighbour, rows of an atom together, the surest first.

    Attributes:
        atom: `(rows,)` number of the atom.
        direction: `(rows, 3)` unit vector from the atom to the neighbour.
        weight: `(rows,)` in (0, 1], three decimals.
    """

    atom: np.ndarray
    direction: np.ndarray
    weight: np.ndarray


class _Faces(NamedTuple):
    """Faces of Voronoi cells, a row each: atom, vector to the neighbour, its atomic number, solid angle and area."""

    atom: np.ndarray
    vector: np.ndarray
    species: np.ndarray
    solid_angle: np.ndarray
    area: np.ndarray


def neighbour_shells(crystals: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> tuple[Shells, np.ndarray]:
    """The weighted neighbours of all atoms of some crystals.

    Args:
        crystals: For each its lattice vectors `(3, 3)`, atomic numbers `(sites,)` and fractional coordinates `(sites, 3)`.
            All finite, with a volume.

    Returns:
        The neighbours, atoms numbered through all crystals, and for each crystal whether all its cells are closed: those of
        an open one are missing.
    """
    corners, closed, first = [], np.ones(len(crystals), bool), 0
    for row, (matrix, species, coords) in enumerate(crystals):
        cells = _voronoi_cells(matrix, species, coords)
        closed[row] = cells is not None
        for site, cell in enumerate(cells or ()):
            corners.append((np.full(len(cell[0]), first + site), *cell))
        first += len(species)
    if not corners:
        return Shells(np.zeros(0, int), np.zeros((0, 3)), np.zeros(0)), closed
    centre = np.concatenate([species for _, species, _ in crystals])
    return _weighted(_faces(*(np.concatenate(columns) for columns in zip(*corners, strict=True))), centre), closed


def _voronoi_cells(
    matrix: np.ndarray, species: np.ndarray, coords: np.ndarray
) -> list[tuple[np.ndarray, ...]] | None:
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


_DIAGONALS = ((1, 1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, -1))


def _around(matrix: np.ndarray, coords: np.ndarray, cutoff: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each site the vectors to all sites and images within the cut-off, and which sites those are."""
    vectors, numbers = (values[0] for values in reduced_vectors(matrix[None]))
    heights = 1.0 / np.linalg.norm(np.linalg.inv(vectors), axis=0)
    reach = np.floor(cutoff / heights + 0.5).astype(int)
    images = np.array(list(itertools.product(*(range(-most, most + 1) for most in reach))), float)
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
    """The Voronoi cell around the origin among points, by inversion: its corners are the facets of a convex hull.

    A plane half-way to the point p is the set of x with x . q = 1 for q = 2 p / p^2, so the cell is the polar body of
    the hull of all q.

    Returns:
        For each corner of each face, the number of the neighbour and the position `(corners, 3)`; faces meet in
        shared corners, which come once for each. `None` if the points do not enclose the origin.
    """
    from scipy.spatial import ConvexHull, QhullError

    if len(vectors) < 4:
        return None
    try:
        hull = ConvexHull(2.0 * vectors / (vectors**2).sum(axis=1, keepdims=True))
    except QhullError:  # flat: all neighbours in a plane
        return None
    offsets = hull.equations[:, 3]
    if (offsets > -1e-12).any():
        return None
    corners = hull.equations[:, :3] / -offsets[:, None]
    return hull.simplices.ravel(), np.repeat(corners, 3, axis=0)


def _faces(atom: np.ndarray, neighbour: np.ndarray, corner: np.ndarray, vector: np.ndarray, species: np.ndarray) -> _Faces:
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
    return _Faces(
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


def _weighted(faces: _Faces, centre: np.ndarray) -> Shells:
    """CrystalNN's weights of faces; `centre` holds the atomic numbers of the atoms."""
    faces = _Faces(*(column[faces.area > _SMALLEST_FACE] for column in faces))
    radii, electronegativity = _element_values()
    own = centre[faces.atom]
    distances = np.linalg.norm(faces.vector, axis=-1)
    differences = np.abs(electronegativity[own] - electronegativity[faces.species])
    chemical = 1.0 + _ELECTRONEGATIVITY_WEIGHT * np.sqrt(np.nan_to_num(differences) / _LARGEST_DIFFERENCE)
    weights = faces.solid_angle**2 / faces.area * chemical
    weights /= _largest(weights, faces.atom)[faces.atom]
    near, far = _DISTANCE_CUTOFFS
    beyond = (distances - radii[own] - radii[faces.species] - near) / (far - near)
    weights *= 0.5 * (np.cos(np.pi * np.clip(beyond, 0.0, 1.0)) + 1.0)
    order = np.lexsort((distances, -weights, faces.atom))
    order = order[np.round(weights[order], 3) > 0]
    return Shells(faces.atom[order], faces.vector[order] / distances[order, None], np.round(weights[order], 3))


def _largest(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    largest = np.zeros(groups.max() + 1)
    np.maximum.at(largest, groups, values)
    return largest


@cache
def _element_values() -> tuple[np.ndarray, np.ndarray]:
    """Covalent radii (Angstrom) and Pauling electronegativities (NaN: none) by atomic number, as CrystalNN takes them."""
    import warnings

    from pymatgen.analysis.molecule_structure_comparator import CovalentRadius
    from pymatgen.core import Element

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pymatgen warns for each element without a value
        elements = [Element.from_Z(number) for number in range(1, 119)]
        radii = [CovalentRadius.radius.get(element.symbol, element.atomic_radius) for element in elements]
        electronegativities = [element.X for element in elements]
    return np.array([0.0, *(float(radius or np.nan) for radius in radii)]), np.array([np.nan, *map(float, electronegativities)])
