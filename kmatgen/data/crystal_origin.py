"""Where a cell begins: the same crystal can be written down from any point of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kmatgen.errors import InputError
from kmatgen.representations.crystal_table import CrystalTable
from kmatgen.representations.site_order import order_sites, wrapped

ORIGINS = ("given", "atom")
_ROUNDING = 1e-9
_SAME = 1e-4  # coordinates closer than this are equal


def with_origin(table: CrystalTable, origin: str = "atom") -> CrystalTable:
    """The same crystals seen from another origin, with coordinates in [0, 1).

    Args:
        table: Crystals.
        origin: `"given"`, or `"atom"`: an atom of the rarest element of the cell (of several elements, that of least
            atomic number; of several atoms, that from which the sites, sorted by position, come first in the
            dictionary). Crystals that differ in nothing but their origin become equal.

    Raises:
        InputError: There is no such origin.
    """
    if origin not in ORIGINS:
        raise InputError(f"origin is one of {', '.join(ORIGINS)}. Received: {origin!r}.")
    table = replace(table, coords=_inside(table.coords, table.mask))
    if origin == "given" or len(table) == 0:
        return table
    candidates = _rarest(table.species)
    order = np.cumsum(candidates, axis=1)
    best, best_key = table, None
    for number in range(int(order[:, -1].max())):
        # The column of each crystal's next candidate; those that have no more begin anew with their first.
        atom = np.argmax(order > np.where(order[:, -1] > number, number, 0)[:, None], axis=1)
        from_atom = table.coords - np.take_along_axis(table.coords, atom[:, None, None], axis=1)
        shifted = replace(table, coords=_inside(from_atom, table.mask))
        key = _as_numbers(shifted)
        better = np.ones(len(table), bool) if best_key is None else _less(key, best_key)
        best_key = key if best_key is None else np.where(better[:, None], key, best_key)
        best = replace(table, coords=np.where(better[:, None, None], shifted.coords, best.coords))
    return best


def _inside(coords: np.ndarray, mask: np.ndarray) -> np.ndarray:
    inside = wrapped(coords, 0.5)
    # What rounding has put just below 0 stays at 0.
    return np.where((inside < 1.0 - _ROUNDING) & mask[..., None], inside, 0.0)


def _rarest(species: np.ndarray) -> np.ndarray:
    """The mask `(n, sites)` of the sites of the rarest element of each cell."""
    count = (species[:, :, None] == species[:, None, :]).sum(axis=2)
    rarity = np.where(species > 0, 1000 * count + species, np.iinfo(count.dtype).max)
    return rarity == rarity.min(axis=1, keepdims=True)


def _as_numbers(table: CrystalTable) -> np.ndarray:
    """Species and coordinates, sorted by position, as one row of whole numbers."""
    table = order_sites(table, "position")
    steps = np.round(wrapped(table.coords, 0.5 - _SAME) / _SAME).astype(np.int64)
    return np.concatenate([table.species[..., None], steps], axis=-1).reshape(len(table), -1)


def _less(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Whether each row comes before the other's in the order of a dictionary."""
    first = np.argmax(one != other, axis=1)[:, None]
    return (np.take_along_axis(one, first, axis=1) < np.take_along_axis(other, first, axis=1))[:, 0]
