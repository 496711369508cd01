"""Whether crystals could exist: no atoms on top of each other, and a composition that can be neutral.

The definitions are those of CDVAE (Xie et al., ICLR 2022), which the literature on generated crystals follows.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from kmatgen.errors import InputError
from kmatgen.representations.crystal_table import CrystalTable, reduced_counts
from kmatgen.representations.distances import periodic_distances
from kmatgen.representations.elements import HEAVIEST

_STATES = {
    "smact14": "oxidation_states_smact14",
    "icsd16": "oxidation_states_icsd16",
    "icsd24": "oxidation_states_icsd24",
    "pymatgen_sp": "oxidation_states_sp",
}
OXIDATION_TABLES = tuple(_STATES)


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


def well_formed(table: CrystalTable) -> np.ndarray:
    """`(n,)`: whether all numbers are finite, lengths positive, angles those of a cell, and the atoms known."""
    finite = (
        np.isfinite(table.volume) & np.isfinite(table.lattice).all(axis=1) & np.isfinite(table.coords).all(axis=(1, 2))
    )
    return finite & (table.lattice[:, :3] > 0).all(axis=1) & _known_species(table)


def _known_species(table: CrystalTable) -> np.ndarray:
    return ((table.species >= 0) & (table.species <= HEAVIEST)).all(axis=1) & (table.n_sites > 0)


def _as_key(counts: np.ndarray) -> tuple[tuple[int, int], ...]:
    return tuple((int(number), int(counts[number])) for number in np.flatnonzero(counts))


class _Element(NamedTuple):
    """What SMACT knows of an element."""

    states: tuple[int, ...]
    electronegativity: float | None
    is_metal: bool


@cache
def _passes_smact(composition: tuple[tuple[int, int], ...], oxidation_table: str) -> bool:
    """SMACT's test of neutrality and electronegativity, by the sums that can be reached.

    All cations have to be less electronegative than all anions, so there is a limit up to which elements take positive
    states and above which negative ones. `smact_validity` tries all products of states instead, which takes minutes
    where a generator puts ten elements into one cell.
    """
    if len(composition) == 1:
        return True
    elements = [_smact_element(number, oxidation_table) for number, _ in composition]
    if None in elements:
        return False
    if all(element.is_metal for element in elements):
        return True
    if any(not element.states or element.electronegativity is None for element in elements):
        return False
    counts = [count for _, count in composition]
    limits = {element.electronegativity for element in elements}
    return any(0 in _total_charges(elements, counts, limit) for limit in limits)


def _total_charges(elements: list[_Element], counts: list[int], limit: float) -> set[int]:
    """All charges of a formula unit with cations up to this electronegativity and anions above."""
    totals = {0}
    for element, count in zip(elements, counts, strict=True):
        sign = 1 if element.electronegativity <= limit else -1
        charges = [count * state for state in element.states if sign * state >= 0]
        totals = {total + charge for total in totals for charge in charges}
    return totals


@cache
def _smact_element(number: int, oxidation_table: str) -> _Element | None:
    """`None` for the heaviest elements, which SMACT does not know."""
    import smact
    from pymatgen.core import Element

    symbol = Element.from_Z(number).symbol
    try:
        element = smact.Element(symbol)
    except KeyError:
        return None
    states = getattr(element, _STATES[oxidation_table]) or ()
    return _Element(tuple(states), element.pauling_eneg, symbol in smact.metals)
