"""Crystals that occur more than once in a table."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from kmatgen.data.crystal_origin import with_origin
from kmatgen.representations.crystal_table import CrystalTable
from kmatgen.representations.site_order import order_sites


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
    lattice = np.rint(settled.lattice * [1000, 1000, 1000, 100, 100, 100])
    coords = np.rint(settled.coords * 1000) % 1000
    sites = np.concatenate([settled.species[..., None], coords], axis=-1)
    rows = np.concatenate([lattice, sites.reshape(len(table), -1)], axis=1).astype(np.int32)
    # numpy leaves out the zero bytes at the end of text, so that room for more sites changes no key.
    return np.ascontiguousarray(rows).view(f"S{rows.shape[1] * rows.itemsize}").ravel().tolist()
