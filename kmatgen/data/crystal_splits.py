"""Divide a table of crystals into those to train on and those held out, so that nothing is on both sides."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from kmatgen.data.crystal_cells import with_cell
from kmatgen.data.duplicates import crystal_keys
from kmatgen.errors import InputError
from kmatgen.representations.crystal_table import CrystalTable, element_counts, reduced_counts

Key = Callable[[CrystalTable], Sequence[Hashable]]


def split_table(
    table: CrystalTable, test_fraction: float = 0.2, seed: int = 0, by: str | Key = "formula"
) -> tuple[CrystalTable, CrystalTable]:
    """Hold out about a share of the crystals. Crystals with one key, and equal crystals, are never on both sides.

    Args:
        table: Crystals.
        test_fraction: Share of the crystals that is held out, above 0 and below 1.
        seed: Another seed, another division.
        by: `"formula"`: crystals with one reduced formula stay together. `"elements"`: those of one chemical system
            do, a stricter test. `"crystal"`: nothing but equal crystals does, whatever cell they are given in, for
            data of one composition. Or a function from a table to a key for each crystal, any that can be hashed.

    Returns:
        Training and test crystals, each in the order of `table`.

    Raises:
        InputError: The fraction is out of range, there is no such key, or all crystals share one.
    """
    if not 0.0 < test_fraction < 1.0:
        raise InputError(f"test_fraction is above 0 and below 1. Received: {test_fraction!r}.")
    group = _groups(table, by)
    sizes = np.bincount(group)
    if len(sizes) < 2:
        raise InputError(
            "A split needs at least two keys; by='crystal' divides crystals of one composition. "
            f"Received: {len(table)} crystals with {len(sizes)}."
        )
    order = np.random.default_rng(seed).permutation(len(sizes))
    before = np.cumsum(sizes[order]) - sizes[order]
    held_out = order[before < round(test_fraction * len(table))]
    # One group at least on each side, however large the groups are.
    held_out = order[: min(max(len(held_out), 1), len(sizes) - 1)]
    test = np.isin(group, held_out)
    return table[~test], table[test]


def formulas(table: CrystalTable) -> list[bytes]:
    """For each crystal a key that tells its reduced formula."""
    return [counts.tobytes() for counts in reduced_counts(table).astype(np.int16)]


def elements(table: CrystalTable) -> list[bytes]:
    """For each crystal a key that tells which elements it is made of."""
    return [present.tobytes() for present in element_counts(table) > 0]


def crystals(table: CrystalTable) -> list[bytes]:
    """For each crystal a key that tells its structure, whatever cell it is given in; see `crystal_keys`."""
    reduced, found = with_cell(table, "niggli")
    keys = np.array(crystal_keys(table), object)
    keys[found] = crystal_keys(reduced)
    return keys.tolist()


_KEYS: dict[str, Key] = {"formula": formulas, "elements": elements, "crystal": crystals}


def _groups(table: CrystalTable, by: str | Key) -> np.ndarray:
    """`(n,)` numbers from 0 on: crystals that have to stay together share one."""
    if isinstance(by, str):
        if by not in _KEYS:
            raise InputError(f"A table is split by {', '.join(_KEYS)} or a function. Received: by={by!r}.")
        return _numbered(_KEYS[by](table))
    keys = list(by(table))
    if len(keys) != len(table):
        raise InputError(f"A key for each of {len(table)} crystals is needed. Received: {len(keys)} keys.")
    given, equal = _numbered(keys), _numbered(crystals(table))
    # Two crystals stay together if a chain of equal keys and equal crystals joins them.
    edges = coo_array((np.ones(len(table)), (given, given.max(initial=0) + 1 + equal)))
    size = given.max(initial=0) + equal.max(initial=0) + 2
    edges.resize((size, size))
    return _numbered(connected_components(edges, directed=False)[1][given].tolist())


def _numbered(keys: Sequence[Hashable]) -> np.ndarray:
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], int)
