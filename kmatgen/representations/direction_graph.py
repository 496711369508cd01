"""Crystals as graphs whose edges say how far each site is from each other along every axis."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from kmatgen.registry import register
from kmatgen.representations.base import Representation, check_elements
from kmatgen.representations.crystal_table import CrystalTable
from kmatgen.representations.site_rows import LATTICE, into_cell, limits_of


@register("representation")
class DirectionGraph(Representation):
    """A complete graph of the sites: nothing in it depends on the origin of the cell.

    * `lattice` `(6,)`: a, b, c and angles, scaled linearly to [0.2, 1] over the training data.
    * `species` `(sites, elements)`: 1 for the element of the site, of those that the training data has; else 0.
    * `directions` `(sites, sites, 3)`: for sites i, j twice x_i - x_j along every axis, to the nearest image, so that
      they lie in [-1, 1).

    Decoding puts the first site at the origin and every other at the circular mean of all ways that lead from the
    first to it, through each third site and in both senses. A site is there if one of its elements is above 1/2.

    Args:
        sites: Room for this many sites. `None`: as many as the largest training crystal has.
        ranges: What `fit` learned.
    """

    keeps = "everything but the origin and the space group"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        self.check_fitted()
        elements = len(self.ranges["elements"])
        return {
            "lattice": (6,),
            "species": (self.sites, elements),
            "directions": (self.sites, self.sites, 3),
        }

    def learn(self, table: CrystalTable) -> dict[str, Any]:
        low, high = (limit[LATTICE] for limit in limits_of(table))
        elements = np.unique(table.species[table.mask])
        return {"low": low.tolist(), "high": high.tolist(), "elements": elements.tolist()}

    def to_arrays(self, table: CrystalTable) -> dict[str, np.ndarray]:
        low, high = self._limits()
        check_elements(table, self.ranges["elements"])
        differences = table.coords[:, :, None] - table.coords[:, None]
        pairs = table.mask[:, :, None] & table.mask[:, None]
        return {
            "lattice": (table.lattice - low) / (high - low),
            "species": table.species[..., None] == np.asarray(self.ranges["elements"]),
            "directions": 2 * (differences - np.floor(differences + 0.5)) * pairs[..., None],
        }

    def decode_tensors(self, arrays: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        low, high = (limit.astype(np.float32) for limit in self._limits())
        here = tf.reduce_max(arrays["species"], axis=-1) > 0.5
        elements = tf.gather(tf.constant(self.ranges["elements"], tf.int32), tf.argmax(arrays["species"], axis=-1))
        mask = tf.cast(here, tf.float32)
        return {
            "lattice": arrays["lattice"] * (high - low) + low,
            "species": tf.where(here, elements, 0),
            "coords": positions(arrays["directions"] / 2, here) * mask[..., None],
            "mask": mask,
        }

    def _limits(self) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(self.ranges["low"]), np.asarray(self.ranges["high"])


def positions(differences: tf.Tensor, here: tf.Tensor) -> tf.Tensor:
    """Fractional coordinates from differences between all sites, the first present site at the origin.

    Args:
        differences: `(n, sites, sites, 3)`, x_i - x_j to whole cells, perhaps contradicting each other.
        here: `(n, sites)` whether there is a site.

    Returns:
        `(n, sites, 3)` in [0, 1).
    """
    pairs = tf.cast(here[:, :, None] & here[:, None], differences.dtype)[..., None]
    angles = 2 * np.pi * differences
    turns = tf.complex(tf.cos(angles) * pairs, tf.sin(angles) * pairs)
    first = tf.argmax(here, axis=1)
    from_first = tf.gather(turns, first, axis=1, batch_dims=1)
    to_first = tf.gather(turns, first, axis=2, batch_dims=1)
    # x_j - x_0 by way of every k, and back from 0 by way of every k to j.
    there = tf.einsum("njkc,nkc->njc", turns, tf.math.conj(from_first))
    back = tf.einsum("nkjc,nkc->njc", tf.math.conj(turns), to_first)
    return into_cell(tf.math.angle(there + back) / (2 * np.pi))
