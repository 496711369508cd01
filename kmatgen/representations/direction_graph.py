"""Crystals as graphs whose edges say how far each site is from each other along every axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from kmatgen.registry import register
from kmatgen.representations.base import Representation, check_elements
from kmatgen.representations.crystal_table import CrystalTable
from kmatgen.representations.site_rows import LATTICE, limits_of


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

    def from_arrays(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        low, high = self._limits()
        here = arrays["species"].max(axis=-1) > 0.5
        elements = np.asarray(self.ranges["elements"])[arrays["species"].argmax(axis=-1)]
        return {
            "lattice": arrays["lattice"].astype(np.float64) * (high - low) + low,
            "species": np.where(here, elements, 0),
            "coords": positions(arrays["directions"].astype(np.float64) / 2, here),
        }

    def _limits(self) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(self.ranges["low"]), np.asarray(self.ranges["high"])


def positions(differences: np.ndarray, here: np.ndarray) -> np.ndarray:
    """Fractional coordinates from differences between all sites, the first present site at the origin.

    Args:
        differences: `(n, sites, sites, 3)`, x_i - x_j to whole cells, perhaps contradicting each other.
        here: `(n, sites)` whether there is a site.

    Returns:
        `(n, sites, 3)` in [0, 1).
    """
    pairs = here[:, :, None] & here[:, None]
    turns = np.exp(2j * np.pi * differences) * pairs[..., None]
    rows = np.arange(len(here))
    first = here.argmax(axis=1)
    # x_j - x_0 by way of every k, and back from 0 by way of every k to j.
    there = np.einsum("njkc,nkc->njc", turns, turns[rows, first].conj())
    back = np.einsum("nkjc,nkc->njc", turns.conj(), turns[rows, :, first])
    coords = np.angle(there + back) / (2 * np.pi) % 1.0
    return np.where(coords < 1.0, coords, 0.0)
