"""How sure a value is, and how small it could be: resampled sets of samples, always whole images of them."""

from __future__ import annotations

import numpy as np

from kmatgen.errors import InputError
from kmatgen.evaluation.metric import Described, Metric

# Half the width of a 95 % interval in standard deviations, and how many halves give a good one.
_NORMAL, _MOST_HALVES = 1.96, 40


def split_by_image(groups: np.ndarray, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Which samples are on the smaller side of a random split; those of one image are all on the same side.

    Args:
        groups: The image that each sample was cut from.
        fraction: Share of the images on that side, above 0 and at most 1/2; at least one.
        rng: Where the split comes from.

    Raises:
        InputError: All samples are of one image.
    """
    images = np.unique(groups)
    if len(images) < 2:
        raise InputError(
            "Real samples of at least 2 images are needed to compare real with real. "
            f"Received: {len(groups)} samples of {len(images)}."
        )
    count = min(max(round(fraction * len(images)), 1), len(images) - 1)
    return np.isin(groups, rng.permutation(images)[:count])


def floor_values(
    metric: Metric,
    described: Described,
    groups: np.ndarray,
    fraction: float,
    sizes: tuple[int, int],
    splits: int,
    seed: int,
) -> np.ndarray:
    """The metric of real against other real samples, for several splits by image.

    The two sides are as large as those of the value: `fraction` of the images stand for the held-out ones, and of the
    rest as many samples are drawn as were generated. So it is what a model would have that knows the material exactly.

    Args:
        metric: The metric.
        described: All real samples, described.
        groups: The image that each was cut from.
        fraction: Share of the images on the held-out side.
        sizes: Samples on the held-out side and on the other, at most: as many as are compared for the value.
        splits: How many splits.
        seed: Of the splits.
    """
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(splits):
        side = split_by_image(groups, fraction, rng)
        reference, others = (
            rng.permutation(np.flatnonzero(part))[:size] for part, size in zip((side, ~side), sizes, strict=True)
        )
        values.append(metric(described[reference], described[others]))
    return np.array(values)


def some_of_each(groups: np.ndarray, images: int, quota: int, rng: np.random.Generator) -> np.ndarray:
    """Rows of random samples, in order: of so many images at most, and of each at most so many.

    Args:
        groups: The image that each sample was cut from.
        images: Number of images.
        quota: Samples of an image.
        rng: Where the choice comes from.
    """
    chosen = np.unique(groups)
    if len(chosen) > images:
        chosen = rng.permutation(chosen)[:images]
    order = rng.permutation(np.flatnonzero(np.isin(groups, chosen)))
    order = order[np.argsort(groups[order], kind="stable")]
    _, starts, counts = np.unique(groups[order], return_index=True, return_counts=True)
    rank = np.arange(len(order)) - np.repeat(starts, counts)
    return np.sort(order[rank < quota])


def interval(
    metric: Metric,
    real: Described,
    groups: np.ndarray,
    generated: Described,
    value: float,
    resamples: int,
    seed: int,
) -> tuple[float, float]:
    """A 95 % interval of a value from resampled sets: of generated samples, and of the images of the real ones.

    Bootstrap with replacement (Efron 1979). It lies around a mean that is not the value's, as resampled sets differ
    more; so it is moved to the value. For metrics of neighbours, where a sample must not meet its copy, halves without
    replacement, whose spread is that of the whole set (the delete-half jackknife, Shao and Wu 1989).
    """
    rng = np.random.default_rng(seed)
    if not metric.repeats:
        sizes = (len(real), len(generated))
        draws = []
        for _ in range(min(resamples, _MOST_HALVES)):
            rows, columns = (rng.permutation(size)[: max(metric.least, size // 2)] for size in sizes)
            draws.append(metric(real[rows], generated[columns]))
        reach = _NORMAL * float(np.std(draws))
        return _within(metric, value - reach, value + reach)
    images = np.unique(groups)
    members = {image: np.flatnonzero(groups == image) for image in images}
    draws = []
    for _ in range(resamples):
        rows = np.concatenate([members[image] for image in rng.choice(images, len(images))])
        draws.append(metric(real[rows], generated[rng.integers(0, len(generated), len(generated))]))
    low, high = np.percentile(draws, [2.5, 97.5]) - np.mean(draws) + value
    return _within(metric, low, high)


def _within(metric: Metric, low: float, high: float) -> tuple[float, float]:
    least, greatest = metric.bounds
    return max(float(low), least), min(float(high), greatest)
