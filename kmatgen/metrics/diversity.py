"""Diversity: how alike generated images are to each other, and which classes they leave out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kmatgen.errors import InputError
from kmatgen.metrics.inputs import as_images

_FILTER = 11  # pixels of the Gaussian window
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, fine to coarse (Wang et al. 2003)


def ms_ssim_diversity(images: np.ndarray, pairs: int = 1000, seed: int = 0, batch_size: int = 128) -> float:
    """1 - mean multi-scale structural similarity of random pairs (Odena, Olah and Shlens 2017, section 4.2).

    Compare with the diversity of real images: a collapsed generator is far below.

    Args:
        images: `(n, height, width, channels)` in [0, 1], at least 2, sides of at least 11 pixels. From 176 pixels on
            five scales are used (Wang, Simoncelli and Bovik 2003), in smaller images as many as their sides allow,
            with weights that add up to 1.
        pairs: How many pairs of different images are drawn.
        seed: Of the pairs.
        batch_size: Pairs compared at a time.

    Returns:
        0 where all images are the same, towards 1 where they share nothing.
    """
    import tensorflow as tf

    images = as_images("images", images, least=2)
    if images.ndim != 4 or min(images.shape[1:3]) < _FILTER or pairs < 1:
        raise InputError(
            f"MS-SSIM needs images with sides of at least {_FILTER} pixels, and at least 1 pair. "
            f"Received: shape {images.shape}, {pairs} pairs."
        )
    scales = min(len(_WEIGHTS), 1 + int(np.log2(min(images.shape[1:3]) / _FILTER)))
    weights = np.array(_WEIGHTS[:scales]) / sum(_WEIGHTS[:scales])
    rng = np.random.default_rng(seed)
    first = rng.integers(len(images), size=pairs)
    second = (first + rng.integers(1, len(images), size=pairs)) % len(images)
    alike = [
        tf.image.ssim_multiscale(
            tf.constant(images[first[start : start + batch_size]], tf.float32),
            tf.constant(images[second[start : start + batch_size]], tf.float32),
            max_val=1.0,
            power_factors=weights.tolist(),
            filter_size=_FILTER,
        ).numpy()
        for start in range(0, pairs, batch_size)
    ]
    return float(1.0 - np.concatenate(alike).mean(dtype=np.float64))


class ModeCoverage(NamedTuple):
    """Which classes of the real data a generator makes.

    Attributes:
        classes: The classes of the real data, sorted.
        real: Share of each among real samples.
        generated: Share of each among generated samples.
        covered: Whether each is made often enough.
        divergence: Kullback-Leibler divergence of the generated from the real shares, in nats: 0 where they are equal.
    """

    classes: np.ndarray
    real: np.ndarray
    generated: np.ndarray
    covered: np.ndarray
    divergence: float


def mode_coverage(real_labels: np.ndarray, generated_labels: np.ndarray, least: float = 0.1) -> ModeCoverage:
    """Count the classes among generated samples (as Che et al. 2017 and Srivastava et al. 2017 count modes).

    Args:
        real_labels: Class of each real sample.
        generated_labels: Class of each generated sample, for instance from `assign_labels`.
        least: A class is covered if its share among generated samples is at least this part of its real share.

    Raises:
        InputError: There are no labels, or a generated class is not among the real ones.
    """
    real_labels, generated_labels = np.asarray(real_labels), np.asarray(generated_labels)
    if real_labels.ndim != 1 or generated_labels.ndim != 1 or not real_labels.size or not generated_labels.size:
        raise InputError(
            "Mode coverage needs labels of real and of generated samples, one each. "
            f"Received: shapes {real_labels.shape} and {generated_labels.shape}."
        )
    classes, counts = np.unique(real_labels, return_counts=True)
    unknown = np.setdiff1d(generated_labels, classes)
    if unknown.size:
        raise InputError(f"Generated labels must be among {classes.tolist()[:20]}. Received: {unknown.tolist()[:20]}.")
    found = np.bincount(np.searchsorted(classes, generated_labels), minlength=len(classes))
    real, generated = counts / counts.sum(), found / found.sum()
    made = generated > 0
    divergence = float(np.sum(generated[made] * np.log(generated[made] / real[made])))
    return ModeCoverage(classes, real, generated, generated >= least * real, max(0.0, divergence))
