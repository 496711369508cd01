"""Crystals as grey images of 8 bits, as xtal2png makes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from kmatgen.errors import InputError
from kmatgen.registry import register
from kmatgen.representations.base import Representation
from kmatgen.representations.crystal_table import CrystalTable
from kmatgen.representations.distances import periodic_distances
from kmatgen.representations.site_rows import FEATURES, LATTICE, count_sites, crystals, limits_of, site_rows

HEADER = 12
# Lines of the image: the features of a site with the number of sites before the space group.
LINES = (*FEATURES[:10], "sites", "space_group")
# What black and white stand for.
PUBLISHED_LIMITS = {
    "atom": (1, 118),
    "x": (0, 1),
    "y": (0, 1),
    "z": (0, 1),
    "a": (2, 15.3),
    "b": (2, 15),
    "c": (2, 36),
    "alpha": (0, 180),
    "beta": (0, 180),
    "gamma": (0, 180),
    "sites": (0, 52),
    "space_group": (1, 230),
    "distance": (0, 18),
}
_WHITE = 255
_OF_SITE = np.array([LINES.index(name) for name in FEATURES])


@register("representation")
class XtalImage(Representation):
    """`(sites + 12, sites + 12, 1)` images, in [0, 1] in steps of 1/255; 64 x 64 for the 52 sites of xtal2png.

    Lines 0 to 11, from pixel 12 on, downwards and across, hold for each site its atomic number, x, y, z and the
    repeated a, b, c, alpha, beta, gamma, number of sites and space-group number; the block from (12, 12) on holds the
    periodic distances between sites. What belongs to no site is 0.

    Encoding rounds to 8 bits, so that decoding gives atomic numbers and space groups back exactly and everything else
    to half of `steps`: with the published limits 0.026 A for a, 0.067 A for c, 0.35 degrees, 0.002 of a cell. Decoding
    averages both halves and the cell over the sites; distances and the number of sites are not used.

    Args:
        sites: Room for this many sites.
        limits: What black and white stand for: `"published"`, or `"data"`: for lattice and distances learned from the
            training crystals, so that steps are finer or cells may be larger.
        ranges: What `fit` learned.

    Raises:
        InputError: Another choice of limits.

    Source: xtal2png 0.9.4 (Baird et al.), the same images to the last bit for crystals inside the limits.
    """

    keeps = "everything, rounded to 8 bits"

    def __init__(self, sites: int = 52, limits: str = "published", ranges: dict[str, Any] | None = None) -> None:
        super().__init__(sites, ranges)
        if limits not in ("published", "data"):
            raise InputError(f"limits is 'published' or 'data'. Received: {limits!r}.")
        self.limits = limits

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "limits": self.limits}

    @property
    def shapes(self) -> tuple[int, ...]:
        return (HEADER + self.sites, HEADER + self.sites, 1)

    @property
    def steps(self) -> dict[str, float]:
        """By line, and for `distance`, what one grey level stands for; rounding errs by half of it."""
        low, high = self._limits()
        return dict(zip(PUBLISHED_LIMITS, ((high - low) / _WHITE).tolist(), strict=True))

    def learn(self, table: CrystalTable) -> dict[str, Any]:
        low, high = np.array(list(PUBLISHED_LIMITS.values()), np.float64).T
        high[LINES.index("sites")] = self.sites
        if self.limits == "data":
            low[LATTICE], high[LATTICE] = (limit[LATTICE] for limit in limits_of(table))
            distances = _distances(table.with_sites(int(table.n_sites.max())))
            high[-1] = max(high[-1], distances.max())
        return {"low": low.tolist(), "high": high.tolist()}

    # Encoding

    def to_arrays(self, table: CrystalTable) -> np.ndarray:
        most = int(table.n_sites.max(initial=1))
        table = table.with_sites(most)
        low, high = self._limits()
        lines = np.insert(site_rows(table), LINES.index("sites"), table.n_sites[:, None], axis=-1)
        lines = _grey(lines, low[:-1], high[:-1])
        self._check_range(table, lines)
        pairs = table.mask[:, :, None] & table.mask[:, None]
        end = HEADER + most
        images = np.zeros((len(table), *self.shapes), np.float32)
        images[:, HEADER:end, :HEADER, 0] = lines * table.mask[..., None]
        images[:, :HEADER, HEADER:end, 0] = images[:, HEADER:end, :HEADER, 0].swapaxes(1, 2)
        images[:, HEADER:end, HEADER:end, 0] = _grey(_distances(table), low[-1], high[-1]).clip(0, _WHITE) * pairs
        return images / np.float32(_WHITE)

    def _check_range(self, table: CrystalTable, lines: np.ndarray) -> None:
        beyond = ((lines < 0) | (lines > _WHITE)) & table.mask[..., None]
        # An unknown space group is black, as the least.
        lines[..., -1] = np.where(table.space_group[:, None] == 0, 0, lines[..., -1])
        beyond[table.space_group == 0, :, -1] = False
        if beyond.any():
            row, _, line = (int(index[0]) for index in np.nonzero(beyond))
            low, high = (limit[line] for limit in self._limits())
            raise InputError(
                f"Values of an image lie inside its limits; XtalImage(limits='data') learns wider ones. "
                f"Received: {table.origin[row]}, whose {LINES[line]} is outside {low:g} to {high:g}."
            )

    # Decoding

    def decode_tensors(self, arrays: tf.Tensor) -> dict[str, tf.Tensor]:
        low, high = (limit[_OF_SITE].astype(np.float32) for limit in self._limits())
        across, down = arrays[:, HEADER:, :HEADER, 0], tf.transpose(arrays[:, :HEADER, HEADER:, 0], [0, 2, 1])
        rows = tf.gather((across + down) / 2, _OF_SITE, axis=-1)
        return crystals(rows * (high - low) + low, count_sites(rows))

    def _limits(self) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(self.ranges["low"]), np.asarray(self.ranges["high"])


def _grey(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.rint((values - low) / (high - low) * _WHITE)


def _distances(table: CrystalTable) -> np.ndarray:
    """`(n, sites, sites)` in Angstrom; 0 between a site and itself, and where there is none."""
    distances = periodic_distances(table)
    sites = np.arange(distances.shape[1])
    distances[:, sites, sites] = 0.0
    return np.where(np.isfinite(distances), distances, 0.0)
