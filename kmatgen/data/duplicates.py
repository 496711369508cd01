"""Crystals that occur more than once in a table."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from kmatgen.data.crystal_origin import with_origin
from kmatgen.representations.crystal_table import CrystalTable
from kmatgen.representations.site_order import order_sites

_DECIMALS = (3, 2, 3)  # Angstrom, degrees, fractional


def first_of_its_kind(keys: Iterable[bytes]) -> np.ndarray:
    """For each crystal the row of the first with the same key: its own row where it is the first.

    Args:
        keys: From `crystal_keys`.

    Returns:
        `(n,)` row numbers.
    """
    seen: dict[bytes, int] = {}
    return np.array([seen.setdefault(key, row) for row, key in enumerate(keys)], np.int64)


def crystal_keys(table: CrystalTable) -> list[bytes]:
    """For each crystal a key that equal crystals share.

    Crystals are equal that have the same cell, to a thousandth of an Angstrom and a hundredth of a degree, and the
    same atoms in it, to a thousandth of the cell, whatever the order of the sites and the origin. Since numbers are
    rounded, a pair that is nearly that far apart may be missed. Other cells of one crystal are not equal: read
    with `cell="niggli"` to find those.
    """
    settled = order_sites(with_origin(table, "atom"), "position")
    lattice = np.concatenate(
        [np.round(settled.lattice[:, :3], _DECIMALS[0]), np.round(settled.lattice[:, 3:], _DECIMALS[1])], axis=1
    )
    coords = np.round(settled.coords, _DECIMALS[2]) % 1.0
    return [
        lattice[row].tobytes()
        + settled.species[row, :sites].tobytes()
        # Adding 0 makes negative zeros positive: equal numbers, but other bytes.
        + (np.round(coords[row, :sites], _DECIMALS[2]) + 0.0).tobytes()
        for row, sites in enumerate(settled.n_sites)
    ]
