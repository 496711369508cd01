"""Judge samples: every metric beside its floor (real against real), trivial baselines and an interval.

`evaluate` does all of it. `Judge` holds real samples ready to be compared with several models, or with one again and
again while it trains; a `Metric` of one's own can stand wherever the name of one can.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kmatgen.evaluation.cache import Cache
from kmatgen.evaluation.crystals import draw_crystals, evaluate_crystals, open_real_crystals, score_names
from kmatgen.evaluation.generated import draw_samples
from kmatgen.evaluation.inputs import check_same_shape, open_real
from kmatgen.evaluation.metric import DEFAULT, Metric, get_metrics, pooled, ragged
from kmatgen.evaluation.scoring import Effort, Judge
from kmatgen.evaluation.table import Evaluation, Score
from kmatgen.evaluation.view import Settings, as_samples

__all__ = [
    "DEFAULT",
    "Effort",
    "Evaluation",
    "Judge",
    "Metric",
    "Score",
    "Settings",
    "evaluate",
    "get_metrics",
    "open_judge",
    "pooled",
    "ragged",
]


def evaluate(
    model: Any,
    data: Any,
    metrics: str | Metric | Sequence[str | Metric] = DEFAULT,
    n: int = 256,
    seed: int = 0,
    *,
    segment: str | Callable[[np.ndarray], np.ndarray] = "otsu",
    features: str | Callable[[np.ndarray], np.ndarray] = "pca_s2",
    pixel_size: float | None = None,
    condition: Any = None,
    cache: str | Path | None = None,
) -> Evaluation:
    """Compare generated samples with real ones.

    A value stands beside its floor: the same metric of real samples against other real samples, split by image, with
    as many samples on each side. Below it nothing can be learnt about a model, and the value is "at the floor".

    Args:
        model: What the samples come from: a model with `generate`, the folder of a run, of a SavedModel or of images,
            or samples `(n, height, width[, channels])` or `(n, depth, height, width[, channels])` in [0, 1]; for
            crystals a `CrystalTable`, too.
        data: What they are compared with: the folder of a run or of micrographs, a `kmatgen.data.sources.Source`, a
            pair of training and held-out samples, or samples alone, which are then split at random. Crystals: a run
            of crystals, a file or folder of them, or a pair of tables.
        metrics: Names of metrics, or `Metric` objects; see `kmatgen.evaluation.get_metrics`. Of crystals, names of
            `kmatgen.metrics.crystal_scores.score_crystals`.
        n: Samples to draw, and real samples on a side at most.
        seed: Of the samples, the splits and the intervals.
        segment: How images become phases: `"otsu"`, `"threshold"`, `"colours"`, or a function of images.
        features: What KID and its like are computed of: `"pca_s2"`, `"raw"`, an encoder, or a function of images.
        pixel_size: Side of a pixel in micrometres; by default that of the data, where all images have the same.
        condition: What `generate` is asked for, where the model takes a condition.
        cache: A folder in which descriptions of the real samples are kept for the next time.

    Returns:
        A table that prints. A metric that cannot be computed is in it, with the reason.

    Raises:
        InputError: The samples or the data cannot be used at all, or differ in size or scale.
    """
    crystals = open_real_crystals(data, seed)
    if crystals is not None:
        made = draw_crystals(model, n, seed, condition)
        return evaluate_crystals(made, crystals, score_names(metrics), seed, cache=cache)
    chosen = get_metrics(metrics)
    samples = draw_samples(model, n, seed, condition)
    judge = open_judge(
        data, n, seed, like=samples, segment=segment, features=features, pixel_size=pixel_size, cache=cache
    )
    return judge.evaluate(samples, chosen)


def open_judge(
    data: Any,
    n: int = 256,
    seed: int = 0,
    *,
    like: np.ndarray,
    segment: str | Callable[[np.ndarray], np.ndarray] = "otsu",
    features: str | Callable[[np.ndarray], np.ndarray] = "pca_s2",
    pixel_size: float | None = None,
    cache: str | Path | None = None,
    effort: Effort | None = None,
) -> Judge:
    """Real samples made ready to judge models by.

    Args:
        data: As in `evaluate`.
        n: Real samples on a side, at most.
        seed: Of splits and intervals.
        like: Generated samples; micrographs are cut to their size.
        segment: As in `evaluate`.
        features: As in `evaluate`.
        pixel_size: As in `evaluate`.
        cache: As in `evaluate`.
        effort: Number of splits and resampled sets.
    """
    like = as_samples("generated", like)
    channels = like.shape[-1] if like.shape[-1] in (1, 3) else None
    real = open_real(data, like.shape[1], seed, channels, rank=like.ndim - 1)
    check_same_shape("generated", like, "real", real.held_out)
    settings = Settings(segment, features, real.pixel_size if pixel_size is None else pixel_size, seed=seed)
    return Judge(real, settings, n, effort or Effort(seed=seed), Cache(cache))
