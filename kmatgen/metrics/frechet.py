"""The Frechet distance between Gaussians fitted to features."""

from __future__ import annotations

import warnings

import numpy as np
from scipy import linalg

from kmatgen.metrics.inputs import as_feature_pair

ENOUGH = 2048


class FewSamplesWarning(UserWarning):
    """A metric was computed from so few samples that its bias may exceed the differences between models."""


def frechet_distance(real: np.ndarray, generated: np.ndarray) -> float:
    """`|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))` of the means and covariances (Heusel et al. 2017, equation 6).

    With centred features A and B, scaled so that `C1 = A^T A` and `C2 = B^T B`, the trace of the root is the sum of
    the singular values of `A B^T`: no matrix root, no complex numbers, also where a covariance is singular.

    Args:
        real: Features `(n, d)`, at least 2.
        generated: Features `(m, d)`, at least 2.

    Returns:
        The squared distance, 0 or more. It falls as samples are added: compare at equal numbers only, or use `kid`.

    Warns:
        FewSamplesWarning: There are fewer than 2,048 real or generated samples.
    """
    real, generated = as_feature_pair(real, generated)
    fewest = min(len(real), len(generated))
    if fewest < ENOUGH:
        warnings.warn(
            f"The Frechet distance of {fewest} samples is biased upwards; use at least {ENOUGH}, or KID.",
            FewSamplesWarning,
            stacklevel=2,
        )
    between = np.sum((real.mean(axis=0) - generated.mean(axis=0)) ** 2)
    a, b = (_root(features) for features in (real, generated))
    cross = linalg.svdvals(a @ b.T, check_finite=False).sum()
    return max(0.0, float(between + np.sum(a**2) + np.sum(b**2) - 2.0 * cross))


def _root(features: np.ndarray) -> np.ndarray:
    """Some R of at most d rows with `R^T R` the covariance."""
    centred = (features - features.mean(axis=0)) / np.sqrt(len(features) - 1.0)
    if len(features) <= features.shape[1]:
        return centred
    return linalg.qr(centred, mode="r", overwrite_a=True, check_finite=False)[0][: features.shape[1]]
