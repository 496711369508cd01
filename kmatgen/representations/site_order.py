"""The order of sites in a cell. This is the one place for it: readers, augmentation and representations all use it.

A crystal is a set of sites, an array has a first and a second. A network learns much more easily when the same row
means the same kind of site in every crystal. Orders by name:

* `given`: as in the table.
* `position`: by fractional x, then y, then z, each taken from -1/4 to 3/4 so that a site just below 0 stays beside 0.
* `cations`: cations before anions (`is_anion`), and by position within each. It needs no more than the crystal itself,
  and atoms in one role mostly come out in one row: over perov_5, sites stand 0.10 cells (root mean square) from the
  mean of their row, and no row holds both cations and anions; by position it is 0.18, by electronegativity 0.29, by
  role 0.05.
* `electronegativity`: cations first (by Pauling electronegativity), equal elements by position.
* `role`: each site goes to the nearest site of a prototype that was found in the data (`find_prototype`); for data
  whose crystals all have the same number of sites. For perovskites it finds A, B and the three X sites.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kmatgen.errors import InputError
from kmatgen.representations.crystal_table import CrystalTable
from kmatgen.representations.elements import electronegativity, is_anion

ORDERS = ("given", "position", "cations", "electronegativity", "role")
# Coordinates are sorted by the bin they lie in, so that noise does not decide; 1/2, 1/3, 1/4, 1/6 are middles of bins.
_BINS = 48
# Crystals that a prototype is found from, evenly spread over the table.
_ENOUGH = 1000


def order_sites(table: CrystalTable, order: str, prototype: np.ndarray | None = None) -> CrystalTable:
    """The same crystals with their sites in a named order.

    Args:
        table: Crystals.
        order: One of `ORDERS`.
        prototype: `(sites, 3)` from `find_prototype`, for the order `role`.

    Raises:
        InputError: An unknown order, `role` without a prototype, or one that does not fit the table.
    """
    return table if order == "given" else _permuted(table, site_rows(table, order, prototype))


def site_rows(table: CrystalTable, order: str, prototype: np.ndarray | None = None) -> np.ndarray:
    """`(n, sites)` which site of each crystal comes at each place of a named order; as for `order_sites`."""
    check_order(order)
    if order == "given":
        return np.broadcast_to(np.arange(table.species.shape[1]), table.species.shape)
    if order == "role":
        return _nearest_roles(table, prototype)
    return np.lexsort(_keys(table, order)[::-1], axis=1)


def check_order(order: str) -> None:
    """Refuse what is no name of an order."""
    if order not in ORDERS:
        raise InputError(f"An order of sites is one of {', '.join(ORDERS)}. Received: {order!r}.")


def wrapped(coords: np.ndarray, centre: np.ndarray | float = 0.25) -> np.ndarray:
    """Fractional coordinates moved by whole cells to within half a cell of `centre`; [-1/4, 3/4) for 1/4."""
    inside = (coords - centre + 0.5) % 1.0
    # Numbers just below 0 round up to 1.
    return np.where(inside < 1.0, inside, 0.0) - 0.5 + centre


def find_prototype(table: CrystalTable, candidates: int = 16, rounds: int = 10) -> np.ndarray:
    """Sites that all crystals of a table have in common.

    Starts from the crystal, among some of the table, that the others are nearest to; then assigns each crystal's
    sites to its sites (the assignment of least squared periodic distance in fractional coordinates) and takes the
    circular mean over crystals, in turns. Sites are sorted by their mean electronegativity, cations first.

    Args:
        table: Crystals with the same number of sites.
        candidates: Crystals tried as a start, evenly spread over the table.
        rounds: Most turns of assigning and averaging; they end when nothing changes any more.

    Returns:
        `(sites, 3)` fractional coordinates in [0, 1).

    Raises:
        InputError: The numbers of sites differ.
    """
    counts = np.unique(table.n_sites)
    if len(counts) != 1:
        raise InputError(
            "The order 'role' needs crystals that all have the same number of sites; use 'position' or "
            f"'electronegativity' for others. Received: from {counts[0]} to {counts[-1]} sites."
        )
    table = table.with_sites(int(counts[0])).spread(_ENOUGH)
    some, starts = table.spread(256).coords, table.spread(candidates).coords
    prototype = min(starts, key=lambda start: _assign(some, start)[1])
    before = None
    for _ in range(rounds):
        rows, _ = _assign(table.coords, prototype)
        if before is not None and (rows == before).all():
            break
        before, ordered = rows, _permuted(table, rows)
        prototype = circular_mean(ordered.coords)
    negative = electronegativity()[ordered.species].mean(axis=0)
    return prototype[np.lexsort([*_bins(prototype).T[::-1], np.round(negative, 1)])] % 1.0


def circular_mean(coords: np.ndarray) -> np.ndarray:
    """Mean over the first axis of numbers that repeat after 1, in [-1/2, 1/2]."""
    return np.angle(np.exp(2j * np.pi * coords).mean(axis=0)) / (2 * np.pi)


def _bins(coords: np.ndarray) -> np.ndarray:
    # The cell is cut half a bin above 3/4, so that sites there and at -1/4 share a bin.
    return np.round(wrapped(coords, 0.25 + 0.5 / _BINS) * _BINS).astype(int)


def _nearest_roles(table: CrystalTable, prototype: np.ndarray | None) -> np.ndarray:
    if prototype is None:
        raise InputError("The order 'role' needs the prototype that find_prototype found. Received: none.")
    prototype = np.asarray(prototype, float)
    wrong = np.flatnonzero(table.n_sites != len(prototype))
    if len(wrong):
        raise InputError(
            f"The order 'role' was learned from crystals of {len(prototype)} sites. Received: "
            f"{table.origin[wrong[0]]} with {table.n_sites[wrong[0]]} sites."
        )
    rows, _ = _assign(table.coords[:, : len(prototype)], prototype)
    gaps = np.arange(len(prototype), table.species.shape[1])
    return np.concatenate([rows, np.broadcast_to(gaps, (len(table), len(gaps)))], axis=1)


def _assign(coords: np.ndarray, prototype: np.ndarray) -> tuple[np.ndarray, float]:
    """For each crystal the site that goes to each site of the prototype, and the sum of squared distances."""
    # Imported late: processes that read crystals need no more than the orders by position, and start faster without.
    from scipy.optimize import linear_sum_assignment

    away = coords[:, None] - prototype[:, None]
    cost = np.square(away - np.round(away)).sum(axis=-1)
    # Most crystals of a prototype need no search: every site's nearest is another one.
    rows = cost.argmin(axis=2)
    doubtful = (np.sort(rows, axis=1) != np.arange(rows.shape[1])).any(axis=1)
    for row in np.flatnonzero(doubtful):
        rows[row] = linear_sum_assignment(cost[row])[1]
    return rows, float(np.take_along_axis(cost, rows[..., None], axis=2).sum())


def _keys(table: CrystalTable, order: str) -> list[np.ndarray]:
    """What sites are sorted by, most important first: absent sites go last."""
    keys = [~table.mask, *np.moveaxis(_bins(table.coords), -1, 0), *np.moveaxis(wrapped(table.coords), -1, 0)]
    if order == "cations":
        keys.insert(1, is_anion(table.species))
    if order == "electronegativity":
        keys[1:1] = [np.nan_to_num(electronegativity()[table.species]), table.species]
    return keys


def _permuted(table: CrystalTable, rows: np.ndarray) -> CrystalTable:
    return replace(
        table,
        species=np.take_along_axis(table.species, rows, axis=1),
        coords=np.take_along_axis(table.coords, rows[..., None], axis=1),
    )
