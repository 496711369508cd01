"""How well crystals come back, from a representation or an autoencoder."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kmatgen.errors import InputError
from kmatgen.metrics.crystal_validity import structurally_valid
from kmatgen.metrics.novelty import LITERATURE, Matching, structure_matcher
from kmatgen.metrics.processes import in_processes
from kmatgen.representations.crystal_table import CrystalTable

_BLOCK = 64  # pairs a process takes at a time


class Reconstruction(NamedTuple):
    """Share of crystals that match their originals, and the mean RMS distance of those.

    Attributes:
        match_rate: In [0, 1].
        rms: In units of the cube root of the volume per atom; NaN if none matches.
    """

    match_rate: float
    rms: float


def reconstruction_rate(
    original: CrystalTable, decoded: CrystalTable, matching: Matching = LITERATURE, jobs: int = 1
) -> Reconstruction:
    """Match rate and RMS distance as CDVAE reports them (Xie et al., ICLR 2022), row by row.

    Args:
        original: Crystals.
        decoded: What became of them, in the same order. Structurally invalid ones do not match.
        matching: When two are the same; its ratio of volumes does not count here.
        jobs: Processes, 1 or more.

    Raises:
        InputError: The tables are not of one length, or empty.
    """
    distances = matched_distances(original, decoded, matching, jobs)
    matched = np.isfinite(distances)
    return Reconstruction(float(matched.mean()), float(distances[matched].mean()) if matched.any() else float("nan"))


def matched_distances(
    original: CrystalTable, decoded: CrystalTable, matching: Matching = LITERATURE, jobs: int = 1
) -> np.ndarray:
    """`(n,)` RMS distance of each pair, NaN where the two do not match; arguments as `reconstruction_rate`."""
    if len(original) != len(decoded) or not len(original):
        numbers = f"{len(original)} and {len(decoded)}"
        raise InputError(f"Crystals and what became of them are of one number, 1 or more. Received: {numbers}.")
    distances = np.full(len(original), np.nan)
    rows = np.flatnonzero(structurally_valid(original) & structurally_valid(decoded))
    blocks = [rows[start : start + _BLOCK] for start in range(0, len(rows), _BLOCK)]
    found = in_processes(_distances, [(original[block], decoded[block], matching) for block in blocks], jobs)
    for block, values in zip(blocks, found, strict=True):
        distances[block] = values
    return distances


def _distances(original: CrystalTable, decoded: CrystalTable, matching: Matching) -> np.ndarray:
    matcher = structure_matcher(matching)
    pairs = zip(decoded.structures(), original.structures(), strict=True)
    found = [matcher.get_rms_dist(*pair) for pair in pairs]
    return np.array([np.nan if distance is None else distance[0] for distance in found])
