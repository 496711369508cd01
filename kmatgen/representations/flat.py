"""Crystals as a plain table of numbers, as in the first studies."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from kmatgen.registry import register
from kmatgen.representations.base import Representation
from kmatgen.representations.crystal_table import CrystalTable
from kmatgen.representations.site_rows import FEATURES, count_sites, crystals, limits_of, site_rows


@register("representation")
class Flat(Representation):
    """A row for each site: atomic number, fractional x, y, z, then a, b, c, three angles and space-group number.

    The cell is repeated in every row and averaged in decoding. Everything is scaled linearly to [0.2, 1] over the
    training data (coordinates so that [0, 1] becomes that); rows without a site are 0. Decoding takes rows as sites
    up to the first whose cell is nearer to 0 than to the first row's, rounds atomic numbers, and wraps coordinates.

    Args:
        sites: Room for this many sites. `None`: as many as the largest training crystal has.
        ranges: What `fit` learned.

    Encodes to `(n, sites, 11)`.
    """

    @property
    def shapes(self) -> tuple[int, ...]:
        return (self.sites, len(FEATURES))

    def learn(self, table: CrystalTable) -> dict[str, Any]:
        low, high = limits_of(table)
        return {"low": low.tolist(), "high": high.tolist()}

    def to_arrays(self, table: CrystalTable) -> np.ndarray:
        low, high = self._limits()
        return (site_rows(table) - low) / (high - low) * table.mask[..., None]

    def decode_tensors(self, arrays: tf.Tensor) -> dict[str, tf.Tensor]:
        low, high = (limit.astype(np.float32) for limit in self._limits())
        return crystals(arrays * (high - low) + low, count_sites(arrays))

    def _limits(self) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(self.ranges["low"]), np.asarray(self.ranges["high"])
