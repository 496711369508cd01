"""Who is a neighbour of an atom, and how surely: the method of CrystalNN, for many atoms at once.

CrystalNN (Pan et al., Inorg. Chem. 60 (2021) 1590) weighs the faces of an atom's Voronoi cell by solid angle, by how
compact they are, by the difference in electronegativity and by distance. The results are those of pymatgen's
`CrystalNN` without oxidation states, which walks over atoms and faces in Python.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from kmatgen.metrics.voronoi import Crystal, Faces, voronoi_faces
from kmatgen.representations.elements import HEAVIEST

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


def neighbour_shells(crystals: list[Crystal]) -> tuple[Shells, np.ndarray]:
    """The weighted neighbours of all atoms of some crystals.

    Args:
        crystals: As `voronoi_faces` takes them.

    Returns:
        The neighbours, atoms numbered through all crystals, and for each crystal whether all its Voronoi cells are
        closed; there are no neighbours of the atoms of others.
    """
    faces, closed = voronoi_faces(crystals)
    species = np.concatenate([species for _, species, _ in crystals]) if crystals else np.zeros(0, int)
    return _weighted(faces, species), closed


def _weighted(faces: Faces, species: np.ndarray) -> Shells:
    """CrystalNN's weights of faces; `species` holds the atomic numbers of the atoms."""
    faces = Faces(*(column[faces.area > _SMALLEST_FACE] for column in faces))
    radii, electronegativity = _element_values()
    own = species[faces.atom]
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
    largest = np.zeros(groups.max(initial=-1) + 1)
    np.maximum.at(largest, groups, values)
    return largest


def covalent_radii() -> np.ndarray:
    """`(119,)` covalent radii in Angstrom by atomic number (Cordero et al. 2008), NaN for 0 and beyond curium (96)."""
    return _element_values()[0]


@cache
def _element_values() -> tuple[np.ndarray, np.ndarray]:
    """Covalent radii (Angstrom) and electronegativities by atomic number, as CrystalNN takes them; NaN: none."""
    import warnings

    from pymatgen.analysis.molecule_structure_comparator import CovalentRadius
    from pymatgen.core import Element

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pymatgen warns for each element without a value
        elements = [Element.from_Z(number) for number in range(1, HEAVIEST + 1)]
        radii = [CovalentRadius.radius.get(element.symbol, element.atomic_radius) for element in elements]
        electronegativities = [element.X for element in elements]
    return np.array([np.nan, *(float(radius or np.nan) for radius in radii)]), np.array(
        [np.nan, *map(float, electronegativities)]
    )
