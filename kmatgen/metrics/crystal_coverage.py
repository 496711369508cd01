"""Coverage: how many real crystals have a generated one near them, and the other way round."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kmatgen.errors import InputError
from kmatgen.representations.distances import row_blocks

STRUCTURE_CUTOFF = 0.2
COMPOSITION_CUTOFF = 4.0
_BLOCK = 1 << 22  # distances held at a time


class Coverage(NamedTuple):
    """COV-R and COV-P, and the mean distances to the nearest crystal that they come from."""

    recall: float
    precision: float
    structure_recall_distance: float
    structure_precision_distance: float
    composition_recall_distance: float
    composition_precision_distance: float


class Fingerprints(NamedTuple):
    """What `coverage` compares; rows that could not be computed are NaN.

    Attributes:
        structure: `(n, 61)` order parameters, mean over sites.
        composition: `(n, 132)` composition statistics, standardised.
    """

    structure: np.ndarray
    composition: np.ndarray

    def take(self, rows: np.ndarray) -> Fingerprints:
        """Some of the crystals: row numbers or a boolean mask."""
        return Fingerprints(self.structure[rows], self.composition[rows])


def coverage(
    generated: Fingerprints,
    reference: Fingerprints,
    structure_cutoff: float = STRUCTURE_CUTOFF,
    composition_cutoff: float = COMPOSITION_CUTOFF,
) -> Coverage:
    """COV-R and COV-P as CDVAE defines them (Xie et al., ICLR 2022, appendix).

    A crystal is covered if the nearest fingerprint of structure is within its cut-off and the nearest fingerprint of
    composition within its own; the two need not belong to the same crystal. Generated crystals without fingerprints
    count as not precise.

    Args:
        generated: Fingerprints of generated crystals.
        reference: Fingerprints of real ones.
        structure_cutoff: Largest Euclidean distance of structure.
        composition_cutoff: Largest Euclidean distance of standardised composition.

    Returns:
        Shares in [0, 1] and mean nearest distances; NaN means if a side has no fingerprints.

    Raises:
        InputError: The two sides are described by different numbers of values.
    """
    for left, right in zip(generated, reference, strict=True):
        if left.ndim != 2 or left.shape[1:] != right.shape[1:]:
            shapes = f"{left.shape} and {right.shape}"
            raise InputError(f"Fingerprints of both sides are of one kind, (n, values). Received: {shapes}.")
    n_generated, n_reference = len(generated.structure), len(reference.structure)
    generated, reference = _computed(generated), _computed(reference)
    if not len(generated.structure) or not len(reference.structure):
        return Coverage(0.0, 0.0, *[float("nan")] * 4)
    structure_recall, structure_precision = _nearest(generated.structure, reference.structure)
    composition_recall, composition_precision = _nearest(generated.composition, reference.composition)
    recalled = (structure_recall <= structure_cutoff) & (composition_recall <= composition_cutoff)
    precise = (structure_precision <= structure_cutoff) & (composition_precision <= composition_cutoff)
    return Coverage(
        float(recalled.sum() / n_reference),
        float(precise.sum() / n_generated),
        float(structure_recall.mean()),
        float(structure_precision.mean()),
        float(composition_recall.mean()),
        float(composition_precision.mean()),
    )


def _computed(fingerprints: Fingerprints) -> Fingerprints:
    return fingerprints.take(~np.isnan(fingerprints.structure).any(axis=1))


def _nearest(generated: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each reference and for each generated row, the distance to the nearest row of the other side."""
    from scipy.spatial.distance import cdist

    for_reference = np.full(len(reference), np.inf)
    for_generated = np.empty(len(generated))
    for rows in row_blocks(len(generated), len(reference), _BLOCK):
        distances = cdist(generated[rows], reference)
        for_generated[rows] = distances.min(axis=1)
        np.minimum(for_reference, distances.min(axis=0), out=for_reference)
    return for_reference, for_generated
