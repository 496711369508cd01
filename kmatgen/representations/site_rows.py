"""One row of numbers for each site, in which the cell is repeated: what tables and tensors of crystals are made of."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

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


def crystals(rows: tf.Tensor, n_sites: tf.Tensor) -> dict[str, tf.Tensor]:
    """Crystals of rows of sites, of which the first `n_sites` are there: the copies of the cell averaged.

    Args:
        rows: `(n, sites, 11)` of `FEATURES`.
        n_sites: `(n,)`.

    Returns:
        `lattice` `(n, 6)`, `species` `(n, sites)`, `coords` `(n, sites, 3)` in [0, 1), `mask` `(n, sites)`,
        `space_group` `(n,)`; 0 where there is no site.
    """
    mask = tf.sequence_mask(n_sites, rows.shape[1], rows.dtype)
    number = tf.cast(tf.maximum(n_sites, 1), rows.dtype)[:, None]
    cell = tf.reduce_sum(rows[..., REPEATED] * mask[..., None], axis=1) / number
    # What is no element stays none, and fits an integer.
    species = tf.cast(tf.round(tf.clip_by_value(rows[..., ATOM], -1, HEAVIEST + 1) * mask), tf.int32)
    return {
        "lattice": cell[:, :6],
        "species": species,
        "coords": into_cell(rows[..., COORDS]) * mask[..., None],
        "mask": mask,
        "space_group": tf.cast(tf.round(tf.clip_by_value(cell[:, 6], 0, 230)), tf.int32),
    }


def count_sites(rows: tf.Tensor) -> tf.Tensor:
    """How many sites rows in training scale hold, in which what is absent is 0.

    The cell is repeated in every row. A row is there if these numbers are nearer to those of the first row than to 0;
    what follows the first row that is not there is not there either.

    Args:
        rows: `(n, sites, 11)` of `FEATURES`, scaled.

    Returns:
        `(n,)` int32, at least 1 unless the first row is 0.
    """
    cells = rows[..., REPEATED]
    first = cells[:, :1]
    there = tf.reduce_sum(cells * first, axis=-1) > tf.reduce_sum(first**2, axis=-1) / 2
    return until_first(~there)


def until_first(ends: tf.Tensor) -> tf.Tensor:
    """`(n,)` how many columns of each row of `(n, sites)` come before the first that is true."""
    return tf.reduce_sum(tf.math.cumprod(tf.cast(~ends, tf.int32), axis=1), axis=1)


def into_cell(coords: tf.Tensor) -> tf.Tensor:
    """Fractional coordinates moved by whole cells into [0, 1)."""
    inside = coords - tf.floor(coords)
    # A tiny negative number rounds to 1.
    return tf.where(inside < 1.0, inside, tf.zeros_like(inside))


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
