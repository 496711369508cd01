"""Distances between distributions of one number: phase fractions, chord lengths, grain sizes."""

from __future__ import annotations

import numpy as np
from scipy import stats

from kmatgen.errors import InputError
from kmatgen.metrics.inputs import as_values


def wasserstein(
    real: np.ndarray,
    generated: np.ndarray,
    real_weights: np.ndarray | None = None,
    generated_weights: np.ndarray | None = None,
) -> float:
    """Wasserstein-1 distance: how far the values of one sample have to move, on average, to become the other.

    Args:
        real: Numbers `(n,)`, such as the phase fraction of each sample.
        generated: Numbers `(m,)`.
        real_weights: Weight of each real number, such as those of `GrainSizes`. None: all alike.
        generated_weights: Weight of each generated number.

    Returns:
        A distance in the unit of the numbers.
    """
    real, generated = as_values("real", real), as_values("generated", generated)
    weights = [
        _checked_weights(name, given, values)
        for name, given, values in (
            ("real_weights", real_weights, real),
            ("generated_weights", generated_weights, generated),
        )
    ]
    return float(stats.wasserstein_distance(real, generated, *weights))


def _checked_weights(name: str, weights: np.ndarray | None, values: np.ndarray) -> np.ndarray | None:
    if weights is None:
        return None
    weights = as_values(name, weights)
    if len(weights) != len(values) or weights.min() < 0 or weights.sum() == 0:
        raise InputError(
            f"{name} must be {len(values)} numbers of at least 0, not all 0. Received: {len(weights)}, "
            f"from {weights.min():.4g}."
        )
    return weights
