"""Precision, recall, density and coverage from nearest neighbours."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kmatgen.errors import InputError
from kmatgen.metrics.inputs import as_feature_pair

_WORKING_MEMORY = 64  # MiB of distances held at a time


class PRDC(NamedTuple):
    """Fidelity (precision, density) and diversity (recall, coverage).

    Attributes:
        precision: Share of generated samples that lie within reach of a real one.
        recall: Share of real samples that lie within reach of a generated one.
        density: Mean number of real samples within whose reach a generated one lies, over k; may exceed 1.
        coverage: Share of real samples that have a generated one within their reach.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def prdc(real: np.ndarray, generated: np.ndarray, k: int = 5) -> PRDC:
    """Precision and recall (Kynkaanniemi et al. 2019), density and coverage (Naeem et al. 2020).

    The reach of a sample is the distance to its k-th nearest neighbour of its own kind. Distances are computed a
    block at a time: memory grows with the number of samples, not with its square.

    Args:
        real: Features `(n, d)`, more than k.
        generated: Features `(m, d)`, more than k.
        k: Which neighbour, at least 1.

    Raises:
        InputError: There are not more than k samples of a kind, or k is below 1.
    """
    from sklearn.metrics import pairwise_distances_chunked

    if not isinstance(k, (int, np.integer)) or k < 1:
        raise InputError(f"k must be a whole number of at least 1. Received: {k!r}.")
    real, generated = as_feature_pair(real, generated, least=k + 1)
    reach_of_real, reach_of_generated = reaches(real, k), reaches(generated, k)
    within_real = np.zeros(len(generated), int)
    recalled, covered = np.zeros(len(real), bool), np.zeros(len(real), bool)
    start = 0
    for distances in pairwise_distances_chunked(real, generated, working_memory=_WORKING_MEMORY):
        rows = slice(start, start := start + len(distances))
        inside = distances < reach_of_real[rows, None]
        within_real += inside.sum(axis=0)
        covered[rows] = inside.any(axis=1)
        recalled[rows] = (distances < reach_of_generated).any(axis=1)
    return PRDC(
        precision=float((within_real > 0).mean()),
        recall=float(recalled.mean()),
        density=float(within_real.mean() / k),
        coverage=float(covered.mean()),
    )


def reaches(features: np.ndarray, k: int) -> np.ndarray:
    """Distance of each vector to its k-th nearest neighbour among the others."""
    from sklearn.neighbors import NearestNeighbors

    distances, _ = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(features).kneighbors()
    return distances[:, -1]
