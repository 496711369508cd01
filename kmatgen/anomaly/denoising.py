"""Anomalies by denoising: noise is removed well from what a diffusion model knows, and badly from all else."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

from kmatgen.anomaly.scores import AnomalyScores, check_shape, error_maps
from kmatgen.errors import InputError
from kmatgen.models.diffusion import Diffusion


def score_by_denoising(
    model: Diffusion,
    images: np.ndarray,
    *,
    times: Sequence[float] = (0.2, 0.4, 0.6),
    repeats: int = 2,
    seed: int = 0,
    condition: Any = None,
    batch_size: int = 64,
) -> AnomalyScores:
    """Add noise, remove it in one step, and measure what was lost, mean over amounts of noise and draws of it.

    Args:
        model: A trained `Diffusion` of images.
        images: `(n, height, width, channels)` as it was trained on: in data units for a model with an encoder.
        times: Amounts of noise, above 0 and below 1: little shows fine structure, much shows coarse structure.
        repeats: Draws of noise for each amount.
        seed: Of the noise; all images are given the same.
        condition: What each image is said to be, or one for all, where the model takes a condition.
        batch_size: Images at a time.

    Raises:
        InputError: A time is out of range, or the condition is missing or not wanted.
    """
    if not times or not all(0 < time < 1 for time in times) or repeats < 1:
        raise InputError(
            f"times lie above 0 and below 1, and repeats is at least 1. Received: times={times}, repeats={repeats}."
        )
    taken = model.latent_spec if model.encoder is None else model.encoder.input
    check_shape(images, taken.shape[1:])
    rows = [images]
    if model.condition_spec is not None or condition is not None:
        rows.append(model.check_condition(condition, len(images), seed))

    def denoised(image: tf.Tensor, *condition: tf.Tensor, time: tf.Tensor, noise_seed: tf.Tensor) -> tf.Tensor:
        n = tf.shape(image)[0]
        clean = model.encode_sample(image)
        # One draw for all images: what one is given by chance would be in its score.
        noise = {name: tf.repeat(field, n, axis=0) for name, field in model.draw_noise(1, noise_seed).items()}
        at = tf.fill([n], time)
        seen = model.denoise(model.corrupt(clean, noise, at), at, *condition)
        # Without an encoder images are on the scale of training, and so is what they are compared with.
        return seen["sample"] if model.encoder is None else model.decode_fields(seen, *condition)

    function = tf.function(denoised, reduce_retracing=True)
    maps, first = np.zeros(images.shape[:-1]), None
    for time in sorted(times):
        for repeat in range(repeats):
            options = {"time": tf.constant(time, tf.float32), "noise_seed": tf.constant([seed, repeat])}
            expected = model.run_in_batches(partial(function, **options), *rows, batch_size=batch_size)
            maps += error_maps(images, expected) / (len(times) * repeats)
            first = expected if first is None else first
    return AnomalyScores(maps.reshape(len(maps), -1).mean(axis=1), maps, first)
