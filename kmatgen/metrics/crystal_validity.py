"""Whether crystals could exist: no atoms on top of each other, and a composition that can be neutral.

The definitions are those of CDVAE (Xie et al., ICLR 2022), which the literature on generated crystals follows.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from kmatgen.errors import InputError
from kmatgen.representations.crystal_table import CrystalTable
from kmatgen.representations.distances import periodic_distances

OXIDATION_TABLES = ("smact14", "icsd16", "icsd24", "pymatgen_sp")
_HEAVIEST = 118


def structurally_valid(table: CrystalTable, min_distance: float = 0.5, min_volume: float = 0.1) -> np.ndarray:
    """Whether all atoms are apart and the cell has a volume.

    Args:
        table: Crystals; rows with numbers that are not finite, impossible angles or no atoms are invalid.
        min_distance: Least distance between two atoms in Angstrom, images included. An atom counts as a neighbour of
            its own images, which CDVAE leaves out; that only matters in cells thinner than `min_distance`.
        min_volume: Least volume of the cell in cubic Angstrom.

    Returns:
        `(n,)` boolean.
    """
    possible = well_formed(table)
    rows = np.flatnonzero(possible)
    possible[rows] = table.volume[rows] >= min_volume
    rows = np.flatnonzero(possible)
    possible[rows] = periodic_distances(table[rows]).min(axis=(1, 2), initial=np.inf) >= min_distance
    return possible


def compositionally_valid(table: CrystalTable, oxidation_table: str = "smact14") -> np.ndarray:
    """Whether some oxidation states make the composition neutral, with the anions more electronegative (SMACT).

    Elements and alloys of metals are valid. Which states an element may take decides much: "smact14" is the table
    behind published scores, "icsd24" knows states seen in the ICSD of 2024, "pymatgen_sp" those for which
    structure prediction has statistics.

    Args:
        table: Crystals; those without atoms, or with atomic numbers that do not exist, are invalid.
        oxidation_table: One of `OXIDATION_TABLES`.

    Returns:
        `(n,)` boolean.

    Raises:
        InputError: There is no such table.
    """
    if oxidation_table not in OXIDATION_TABLES:
        raise InputError(f"Oxidation tables are: {', '.join(OXIDATION_TABLES)}. Received: {oxidation_table!r}.")
    known = _known_species(table)
    distinct, inverse = np.unique(reduced_counts(table[known]), axis=0, return_inverse=True)
    passed = np.array([_passes_smact(_as_key(row), oxidation_table) for row in distinct], bool)
    valid = np.zeros(len(table), bool)
    valid[known] = passed[inverse.ravel()] if len(passed) else False
    return valid


def element_counts(table: CrystalTable) -> np.ndarray:
    """How many atoms of each element a cell holds: `(n, 119)` whole numbers, the column is the atomic number."""
    n = len(table)
    flat = (np.arange(n)[:, None] * (_HEAVIEST + 1) + table.species).ravel()
    counts = np.bincount(flat, minlength=n * (_HEAVIEST + 1)).reshape(n, _HEAVIEST + 1)
    counts[:, 0] = 0
    return counts


def reduced_counts(table: CrystalTable) -> np.ndarray:
    """How many atoms of each element a formula unit holds, `(n, 119)` as `element_counts`."""
    counts = element_counts(table)
    return counts // np.maximum(np.gcd.reduce(counts, axis=1), 1)[:, None]


def well_formed(table: CrystalTable) -> np.ndarray:
    """`(n,)`: whether all numbers are finite, lengths positive, angles those of a cell, and the atoms known."""
    finite = (
        np.isfinite(table.volume) & np.isfinite(table.lattice).all(axis=1) & np.isfinite(table.coords).all(axis=(1, 2))
    )
    return finite & (table.lattice[:, :3] > 0).all(axis=1) & _known_species(table)


def _known_species(table: CrystalTable) -> np.ndarray:
    return ((table.species >= 0) & (table.species <= _HEAVIEST)).all(axis=1) & (table.n_sites > 0)


def _as_key(counts: np.ndarray) -> tuple[tuple[int, int], ...]:
    return tuple((int(number), int(counts[number])) for number in np.flatnonzero(counts))


@cache
def _passes_smact(composition: tuple[tuple[int, int], ...], oxidation_table: str) -> bool:
    from pymatgen.core import Composition, Element
    from smact.screening import smact_validity

    formula = Composition({Element.from_Z(number): count for number, count in composition})
    return bool(smact_validity(formula, oxidation_states_set=oxidation_table))
