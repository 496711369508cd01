"""How far a generated CrysTens contradicts itself: it says most things several times."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kmatgen.representations.crystens import Copies, proposed_positions
from kmatgen.representations.site_rows import COORDS, FEATURES


class Consistency(NamedTuple):
    """The five statistics of the paper's table; all are 0 for a real crystal.

    Attributes:
        lengths: Variance of the copies of a, b, c, in square Angstrom.
        angles: Variance of the copies of alpha, beta, gamma, in square degrees.
        space_group: Variance of the copies of the space-group number.
        coordinates: Variance of the eight copies of each fractional coordinate.
        relative: Mean distance between where a coordinate stands and where it is moved by the differences to other
            sites, in fractions of the cell.
    """

    lengths: float
    angles: float
    space_group: float
    coordinates: float
    relative: float


PUBLISHED_CONSISTENCY = {
    "GAN": Consistency(8.34, 41.90, 2497.0, 2.63e-2, 4.77e-2),
    "WGAN": Consistency(0.456, 0.503, 37.0, 2.25e-3, 1.35e-2),
    "diffusion": Consistency(0.533, 0.342, 6.1, 3.72e-4, 9.46e-4),
}
"""Alverson et al., Digital Discovery 3 (2024) 62, on 53,856 crystals that are not public."""


def consistency(copies: Copies) -> Consistency:
    """The consistency of generated tensors, mean over crystals, sites and axes.

    Lengths, angles and the space group stand 8 n times in the tensor of n atoms, in rows and columns and four channels;
    coordinates 8 times. The published code divides the last statistic by the proposed coordinate, which is not defined
    where that is 0, and leaves z out of the fourth; neither is done here.

    Args:
        copies: Of `CrysTens.copies`; tensors without atoms do not count.

    Returns:
        NaN in each if there are no atoms at all.
    """
    occupied = np.flatnonzero(copies.n_sites > 0)
    if not len(occupied):
        return Consistency(*[float("nan")] * 5)
    rows, n_sites = copies.rows[occupied], copies.n_sites[occupied]
    here = np.arange(rows.shape[1]) < n_sites[:, None]
    whole = _variances(rows, here)
    coords = rows[:, :, COORDS]
    own = coords.var(axis=-1)[here]
    means = coords.mean(axis=-1)
    proposed = proposed_positions(means, copies.differences[occupied], n_sites).numpy()
    moved = np.abs(proposed - means)[here]
    return Consistency(
        *(
            float(whole[:, _columns(names)].mean())
            for names in (("a", "b", "c"), ("alpha", "beta", "gamma"), ("space_group",))
        ),
        float(own.mean()),
        float(moved.mean()),
    )


def _columns(names: tuple[str, ...]) -> list[int]:
    return [FEATURES.index(name) for name in names]


def _variances(rows: np.ndarray, here: np.ndarray) -> np.ndarray:
    """`(n, features)` variance over all copies at all sites that are there."""
    number = (here.sum(axis=1) * rows.shape[-1])[:, None]
    there = here[:, :, None, None]
    means = np.where(there, rows, 0.0).sum(axis=(1, 3)) / number
    return np.where(there, (rows - means[:, None, :, None]) ** 2, 0.0).sum(axis=(1, 3)) / number
