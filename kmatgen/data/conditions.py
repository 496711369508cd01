"""Conditions that data bring along: the class of a sample, or the phase fraction that is measured in it."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from kmatgen.errors import InputError

# What `data.condition` may name, beside None.
CONDITIONS = ("class", "phase_fraction")

_LEVELS = 256


def phase_fraction(image: tf.Tensor, threshold: float) -> tf.Tensor:
    """The fraction of pixels above a threshold, in each channel.

    Args:
        image: An image or a volume `(*sides, channels)`: grey values, or indicators of phases.
        threshold: Values above it belong to the phase.

    Returns:
        `(channels,)` in float32.
    """
    inside = list(range(len(image.shape) - 1))
    return tf.reduce_mean(tf.cast(image > threshold, tf.float32), axis=inside)


def otsu_threshold(samples: tf.data.Dataset) -> float:
    """One threshold for all samples together, from the histogram of all their pixels (Otsu 1979).

    Unlike a threshold for each sample, it measures a sample by itself alone in the same way, real or generated, and a
    sample of one phase has the fraction 0 or 1.

    Args:
        samples: Single samples with values in [0, 1], which are read once.

    Raises:
        InputError: All pixels have the same value.
    """
    from skimage.filters import threshold_otsu

    edges = np.linspace(0.0, 1.0, _LEVELS + 1)
    counts = sum(np.histogram(sample, edges)[0] for sample in samples.batch(64).as_numpy_iterator())
    if np.count_nonzero(counts) < 2:
        raise InputError("A phase fraction needs samples of at least 2 grey levels. Received: 1.")
    return float(threshold_otsu(hist=(counts, (edges[:-1] + edges[1:]) / 2)))
