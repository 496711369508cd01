"""CrysTens: crystals as 64 x 64 x 4 tensors (Alverson et al. 2024)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from kmatgen.errors import InputError
from kmatgen.registry import register
from kmatgen.representations.base import Representation
from kmatgen.representations.crystal_table import CrystalTable
from kmatgen.representations.parsimony import clustered, repeated
from kmatgen.representations.site_rows import (
    COORDS,
    FEATURES,
    count_sites,
    crystals,
    into_cell,
    limits_of,
    site_rows,
    until_first,
)

HEADER = 12
ALPHA = FEATURES.index("alpha")
# mean, standard deviation, and what is added below and above: n = ((v - mean) / std + below) / (below + above).
PUBLISHED_SCALES = {
    "atom": (27.503517675, 22.417031299, 1.182293825, 3.189382277),
    "x": (0.4252026276, 0.2934632568, 1.4489126586, 1.9586462438),
    "y": (0.4363866843, 0.2919067377, 1.4949524212, 1.9307764302),
    "z": (0.4442944632, 0.2930835040, 1.5159313202, 1.8960314349),
    "a": (7.5764019962, 2.9769371381, 1.9530147015, 11.7864759569),
    "b": (7.9014206908, 3.5595536372, 1.7246602570, 10.4736669562),
    "c": (9.9308517475, 6.7499881982, 1.1500541215, 15.7428643033),
    "alpha": (89.9627072034, 3.1373304207, 9.6246499904, 9.5741566137),
    "beta": (93.7868877376, 9.6182844076, 3.5437596034, 4.6407561235),
    "gamma": (95.6597502393, 12.2375491749, 3.0022964332, 1.9889807521),
    "space_group": (99.5018876731, 76.6564049050, 1.2849792238, 1.7023771528),
    "direction": (0.0, 0.4099350434569, 2.4393946048, 2.4393946048),
    "length": (0.6693464354, 0.2368872495, 2.7353432606, 4.1594757930),
}
_ROUNDING = 1e-5
# Crystals decoded at a time: keeps the work within tens of MB.
_CHUNK = 256


class Copies(NamedTuple):
    """What a tensor says, in physical units, before copies are averaged; a real crystal's copies are all equal.

    Attributes:
        rows: `(n, sites, 11, 8)`: `kmatgen.representations.site_rows.FEATURES` of each site as often as they stand in
            the tensor, four channels in rows and four in columns.
        lengths: `(n, sites, sites)` lengths of fractional differences, as they stand.
        differences: `(n, sites, sites, 3)` signed fractional differences x_i - x_j, as they stand.
        n_sites: `(n,)` how many of the sites are there.
    """

    rows: np.ndarray
    lengths: np.ndarray
    differences: np.ndarray
    n_sites: np.ndarray


@register("representation", "crystens")
class CrysTens(Representation):
    """Crystals as `(sites + 12, sites + 12, 4)` tensors; 64 x 64 x 4 for the 52 sites of the paper.

    Row r < 11 and column r hold feature r of each site (atomic number, x, y, z, a, b, c, alpha, beta, gamma,
    space-group number) in columns and rows from 12 on, the same in all channels. The block from (12, 12) on holds for
    sites i, j the length of their fractional difference (channel 0) and the difference x_i - x_j itself (1 to 3).
    Padding is 0, the diagonal of the block, too.

    Decoding averages the eight copies of a feature and the cell over the sites, makes the differences antisymmetric,
    and lets every site propose where every other is: x_j becomes (1 - p) x_j + p mean_i(x_i - d_ij) with
    p = 1 - 1 / (12 + n). It is exact for encoded crystals. Exact duplicates of a site are dropped.

    Args:
        sites: Room for this many sites.
        limits: What 0 and 1 stand for: `"published"`, or `"data"`: learned from the training crystals. `None`:
            published where that holds all of them.
        count: Where sites end. `"nearest"`: see `kmatgen.representations.site_rows.count_sites`. `"published"`: at
            the first whose alpha departs by 20 % or more from the first site's, which cannot see the end of crystals
            with alpha below 75 degrees.
        coordinate_clusters: In decoding, move the coordinates of a crystal to so many distinct values (the paper's use
            of Pauling's rule of parsimony). `None`: leave them. Never does anything to a crystal that has no more.
        atom_clusters: The same for atomic numbers; it merges elements of every crystal that has more.
        ranges: What `fit` learned.

    Raises:
        InputError: An unknown choice, clusters below 1, or the published count without the published limits.

    Source: Alverson et al., Digital Discovery 2024, 3, 62, without the faults of its code: lengths and angles are
    averaged over all copies, and one normalisation is used throughout.
    """

    def __init__(
        self,
        sites: int = 52,
        limits: str | None = "published",
        count: str = "nearest",
        coordinate_clusters: int | None = None,
        atom_clusters: int | None = None,
        ranges: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(sites, ranges)
        if limits not in ("published", "data", None):
            raise InputError(f"limits is 'published', 'data' or None. Received: {limits!r}.")
        if count not in ("nearest", "published") or (count == "published" and limits != "published"):
            raise InputError(
                f"count is 'nearest' or, with limits='published', 'published'. Received: {count!r}, limits={limits!r}."
            )
        if min(coordinate_clusters or 1, atom_clusters or 1) < 1:
            raise InputError(f"Clusters are at least 1. Received: {coordinate_clusters}, {atom_clusters}.")
        self.limits = limits
        self.count = count
        self.coordinate_clusters = coordinate_clusters
        self.atom_clusters = atom_clusters

    def get_config(self) -> dict[str, Any]:
        own = ("limits", "count", "coordinate_clusters", "atom_clusters")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}

    @property
    def shapes(self) -> tuple[int, ...]:
        return (HEADER + self.sites, HEADER + self.sites, 4)

    def learn(self, table: CrystalTable) -> dict[str, Any]:
        low, high = published_limits()
        if self.limits is None:
            self.limits = "published" if _hold(low, high, table) else "data"
        if self.limits == "data":
            low[: len(FEATURES)], high[: len(FEATURES)] = limits_of(table)
        return {"low": low.tolist(), "high": high.tolist()}

    # Encoding

    def to_arrays(self, table: CrystalTable) -> np.ndarray:
        # Only so many rows are worked on as are occupied.
        most = int(table.n_sites.max(initial=1))
        table = table.with_sites(most)
        low, width = self._scale()
        rows = site_rows(table)
        arrays = np.zeros((len(table), *self.shapes), np.float32)
        block = arrays[:, HEADER : HEADER + most, HEADER : HEADER + most]
        differences = rows[:, :, None, COORDS] - rows[:, None, :, COORDS]
        block[..., 1:] = (differences - low[11]) / width[11]
        block[..., 0] = (np.linalg.norm(differences, axis=-1) - low[12]) / width[12]
        block *= _pairs(table.mask)[..., None]
        scaled = ((rows - low[:11]) / width[:11] * table.mask[..., None])[..., None]
        arrays[:, HEADER : HEADER + most, :11] = scaled
        arrays[:, :11, HEADER : HEADER + most] = scaled.swapaxes(1, 2)
        return arrays

    # Decoding

    def decode_tensors(self, arrays: tf.Tensor) -> dict[str, tf.Tensor]:
        low, width = (limit.astype(np.float32) for limit in self._scale())
        across, down = arrays[:, HEADER:, :11], tf.transpose(arrays[:, :11, HEADER:], [0, 2, 1, 3])
        scaled = tf.reduce_mean(across + down, axis=-1) / 2
        rows = scaled * width[:11] + low[:11]
        if self.count == "published":
            n_sites = _published_count(across[..., ALPHA, 0] * width[ALPHA] + low[ALPHA])
        else:
            n_sites = count_sites(scaled)
        found = crystals(rows, n_sites)
        differences = arrays[:, HEADER:, HEADER:, 1:] * width[11] + low[11]
        coords = into_cell(proposed_positions(rows[..., COORDS], differences, n_sites))
        return {**found, "coords": coords * found["mask"][..., None]}

    def from_arrays(self, arrays: np.ndarray) -> dict[str, np.ndarray]:
        starts = range(0, max(1, len(arrays)), _CHUNK)
        parts = [super(CrysTens, self).from_arrays(arrays[start : start + _CHUNK]) for start in starts]
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        coords, species = columns["coords"], columns["species"]
        if self.coordinate_clusters:
            coords = clustered(coords, species > 0, self.coordinate_clusters)
        if self.atom_clusters:
            numbers = species[..., None].astype(np.float64)
            species = np.rint(clustered(numbers, species > 0, self.atom_clusters)[..., 0]).astype(int)
        return {**columns, "coords": coords, "species": np.where(repeated(species, coords), 0, species)}

    def copies(self, arrays: np.ndarray) -> Copies:
        """The repeated values of tensors in physical units, from which their consistency can be judged.

        Args:
            arrays: `(n, sites + 12, sites + 12, 4)`, finite.

        Raises:
            InputError: The shape is another, or the representation is not fitted.
        """
        self.check_fitted()
        arrays = self.check_shapes(arrays)
        low, width = self._scale()
        across, down = arrays[:, HEADER:, :11], arrays[:, :11, HEADER:].swapaxes(1, 2)
        scaled = np.concatenate([across, down], axis=-1, dtype=np.float64)
        rows = scaled * width[:11, None] + low[:11, None]
        block = arrays[:, HEADER:, HEADER:]
        lengths = block[..., 0] * np.float32(width[12]) + np.float32(low[12])
        differences = block[..., 1:] * np.float32(width[11]) + np.float32(low[11])
        if self.count == "published":
            n_sites = _published_count(rows[..., ALPHA, 0]).numpy()
        else:
            n_sites = count_sites(scaled.mean(axis=-1)).numpy()
        # The diagonal is 0 in both scales.
        sites = np.arange(self.sites)
        lengths[:, sites, sites] = 0.0
        differences[:, sites, sites] = 0.0
        return Copies(rows, lengths, differences, n_sites)

    def _scale(self) -> tuple[np.ndarray, np.ndarray]:
        low, high = np.asarray(self.ranges["low"]), np.asarray(self.ranges["high"])
        return low, high - low


def published_limits() -> tuple[np.ndarray, np.ndarray]:
    """What 0 and 1 stand for in `PUBLISHED_SCALES`, `(13,)` each."""
    mean, std, below, above = np.array(list(PUBLISHED_SCALES.values())).T
    return mean - below * std, mean + above * std


def _hold(low: np.ndarray, high: np.ndarray, table: CrystalTable) -> bool:
    """Whether every feature of every crystal lies within; the published constants are rounded."""
    rows = (site_rows(table)[table.mask] - low[: len(FEATURES)]) / (high - low)[: len(FEATURES)]
    return bool(rows.min() >= -_ROUNDING and rows.max() <= 1 + _ROUNDING)


def proposed_positions(coords: tf.Tensor, differences: tf.Tensor, n_sites: tf.Tensor) -> tf.Tensor:
    """Positions of sites from where they stand and where the others, by their differences, put them.

    x_j becomes (1 - p) x_j + p mean_i(x_i - d_ij), p = 1 - 1 / (12 + n), d made antisymmetric.

    Args:
        coords: `(n, sites, 3)`.
        differences: `(n, sites, sites, 3)`, x_i - x_j.
        n_sites: `(n,)`; the sites after these count for nothing.
    """
    coords = tf.convert_to_tensor(coords)
    differences = tf.cast(differences, coords.dtype)
    here = tf.sequence_mask(n_sites, coords.shape[1], coords.dtype)
    number = tf.cast(tf.maximum(n_sites, 1), coords.dtype)[:, None, None]
    into = tf.einsum("ni,nijc->njc", here, differences)
    out_of = tf.einsum("ni,njic->njc", here, differences)
    mean = (tf.einsum("ni,nic->nc", here, coords)[:, None] - (into - out_of) / 2) / number
    share = 1 - 1 / (HEADER + number)
    return (1 - share) * coords + share * mean


def _published_count(alpha: tf.Tensor) -> tf.Tensor:
    return until_first(tf.abs(alpha - alpha[:, :1]) >= 0.2 * tf.abs(alpha[:, :1]))


def _pairs(mask: np.ndarray) -> np.ndarray:
    """`(n, sites, sites)`: whether both are there and are not the same."""
    return mask[:, :, None] & mask[:, None] & ~np.eye(mask.shape[1], dtype=bool)
