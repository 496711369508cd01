"""One row of numbers for each site, in which the cell is repeated: what tables and tensors of crystals are made of."""

from __future__ import annotations

import numpy as np

from kmatgen.representations.crystal_table import CrystalTable
from kmatgen.representations.elements import HEAVIEST
from kmatgen.representations.site_order import wrapped

FEATURES = ("atom", "x", "y", "z", "a", "b", "c", "alpha", "beta", "gamma", "space_group")
ATOM, COORDS, LATTICE, SPACE_GROUP = 0, slice(1, 4), slice(4, 10), 10
# What is the same in all rows of a crystal.
REPEATED = slice(4, 11)


def site_rows(table: CrystalTable) -> np.ndarray:
    """`(n, sites, 11)` of `FEATURES`: atomic number, fractional coordinates in [0, 1), a, b, c in Angstrom, angles in
    degrees, number of the space group. 0 where there is no site.
    """
    n, sites = table.species.shape
    rows = np.empty((n, sites, len(FEATURES)))
    rows[..., ATOM] = table.species
    rows[..., COORDS] = wrapped(table.coords, 0.5)
    rows[..., LATTICE] = table.lattice[:, None]
    rows[..., SPACE_GROUP] = table.space_group[:, None]
    rows[~table.mask] = 0.0
    return rows


def crystals(rows: np.ndarray, n_sites: np.ndarray) -> dict[str, np.ndarray]:
    """Columns of a table from rows of sites, of which the first `n_sites` are there: the copies of the cell averaged.

    Args:
        rows: `(n, sites, 11)` of `FEATURES`.
        n_sites: `(n,)`.
    """
    here = np.arange(rows.shape[1]) < n_sites[:, None]
    cell = (rows[..., REPEATED] * here[..., None]).sum(axis=1) / np.maximum(n_sites, 1)[:, None]
    return {
        "lattice": cell[:, :6],
        # What is no element stays none, and fits an integer.
        "species": np.where(here, np.rint(np.clip(rows[..., ATOM], -1, HEAVIEST + 1)), 0).astype(int),
        "coords": wrapped(rows[..., COORDS], 0.5),
        "space_group": np.clip(np.rint(cell[:, 6]), 0, 230).astype(int),
    }


def count_sites(rows: np.ndarray) -> np.ndarray:
    """How many sites rows in training scale hold, in which what is absent is 0.

    The cell is repeated in every row. A row is there if these numbers are nearer to those of the first row than to 0;
    what follows the first row that is not there is not there either.

    Args:
        rows: `(n, sites, 11)` of `FEATURES`, scaled.

    Returns:
        `(n,)`, at least 1 unless the first row is 0.
    """
    cells = rows[..., REPEATED]
    first = cells[:, :1]
    there = (cells * first).sum(axis=-1) > (first**2).sum(axis=-1) / 2
    return np.cumprod(there, axis=1).sum(axis=1)


def limits_of(table: CrystalTable, room: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
    """What 0 and 1 stand for in each of `FEATURES` `(11,)`, so that a table lies inside and never at 0.

    Args:
        table: Training crystals.
        room: Kept free below the least value, in widths of its range: 0 is where there is no site.
    """
    rows = site_rows(table)[table.mask]
    low, high = rows.min(axis=0), rows.max(axis=0)
    # Coordinates go all the way round.
    low[COORDS], high[COORDS] = 0.0, 1.0
    width = np.where(high > low, high - low, 1.0)
    return low - room * width, low + width
