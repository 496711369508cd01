"""Are generated samples new, or remembered? Distances to the training set, against those of held-out samples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from kmatgen.errors import InputError
from kmatgen.metrics.inputs import as_features

_CHANCE = 0.01  # of calling a generator that remembers nothing a copyist
_COPY = 0.5  # of the smallest distance of a held-out sample: in d dimensions one honest sample in 2^d h comes so near
_ROUNDING = 1e-6  # of the median distance, where a held-out sample is a copy itself


class NearestTraining(NamedTuple):
    """How near generated samples come to training samples, compared with held-out ones.

    Attributes:
        generated: Distance of each generated sample to its nearest training sample.
        held_out: Distance of each held-out sample to its nearest training sample.
        threshold: The quantile of `held_out` below which a sample counts as too near.
        share_below: Share of the generated samples below the threshold.
        share_allowed: What `share_below` may be at most: the quantile, and what chance adds to it in so many samples.
        copies: Number of generated samples less than half as far from a training sample as any held-out sample is.
        pairs: `(k, 2)`: index of a generated sample and of its nearest training sample, closest first.
    """

    generated: np.ndarray
    held_out: np.ndarray
    threshold: float
    share_below: float
    share_allowed: float
    copies: int
    pairs: np.ndarray

    @property
    def passed(self) -> bool:
        """Whether no more samples are too near than chance explains, and none is a copy."""
        return self.share_below <= self.share_allowed and self.copies == 0


def nearest_training(
    training: np.ndarray, held_out: np.ndarray, generated: np.ndarray, *, quantile: float = 0.01, pairs: int = 8
) -> NearestTraining:
    """Compare how near generated and held-out samples come to the training set.

    One of the tests in the manner of Meehan, Chaudhuri and Dasgupta, "A Non-Parametric Test to Detect Data-Copying in
    Generative Models", 2020.

    A generator that draws from the distribution of the data puts about the share `quantile` of its samples below the
    `quantile` of the held-out distances; one that remembers puts more there. More is what exceeds the 99 % quantile
    of the beta-binomial distribution, which the number of samples below an order statistic of others follows: with
    few held-out samples a lot is allowed. So a few copies among many new samples are looked for by themselves, as
    samples much nearer than any held-out one; in features of one to four dimensions chance makes such, too.

    Args:
        training: Features `(n, d)` of the samples that the generator was trained on.
        held_out: Features `(h, d)` of samples from other images, at least 20.
        generated: Features `(m, d)`.
        quantile: The share of the held-out samples that counts as too near, above 0 and at most 0.5.
        pairs: How many of the closest pairs are returned.

    Raises:
        InputError: There are too few samples, or their features do not fit together.
    """
    if not 0.0 < quantile <= 0.5 or pairs < 0:
        raise InputError(
            f"quantile must be above 0 and at most 0.5, pairs at least 0. Received: {quantile!r}, {pairs!r}."
        )
    training = as_features("training", training, least=1)
    held_out = as_features("held_out", held_out, least=20)
    generated = as_features("generated", generated, least=1)
    widths = {features.shape[1] for features in (training, held_out, generated)}
    if len(widths) > 1:
        raise InputError(f"training, held_out and generated must have the same features. Received: {sorted(widths)}.")
    distances, indices = _nearest(training, generated)
    of_held_out, _ = _nearest(training, held_out)
    rank = max(1, int(np.ceil(quantile * len(of_held_out))))
    threshold = float(np.sort(of_held_out)[rank - 1])
    allowed = stats.betabinom.ppf(1.0 - _CHANCE, len(distances), rank, len(of_held_out) - rank + 1)
    order = np.argsort(distances, kind="stable")[:pairs]
    return NearestTraining(
        generated=distances,
        held_out=of_held_out,
        threshold=threshold,
        share_below=float(np.mean(distances < threshold)),
        share_allowed=float(allowed / len(distances)),
        copies=int(np.sum(distances <= max(_COPY * of_held_out.min(), _ROUNDING * np.median(of_held_out)))),
        pairs=np.stack([order, indices[order]], axis=1),
    )


def _nearest(training: np.ndarray, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance to the nearest training sample, and its index."""
    from sklearn.neighbors import NearestNeighbors

    _, indices = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(training).kneighbors(queries)
    nearest = indices[:, 0]
    # From the difference itself: the search loses half of the digits where a distance is small.
    return np.linalg.norm(queries - training[nearest], axis=1), nearest
