"""Anomalies by reconstruction: what does not fit through the latent space is not normal."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from kmatgen.anomaly.scores import AnomalyScores, check_shape, error_maps
from kmatgen.errors import InputError
from kmatgen.models.autoencoder import Autoencoder


def score_by_reconstruction(model: Autoencoder, images: np.ndarray, *, batch_size: int = 64) -> AnomalyScores:
    """The mean squared error of an image's reconstruction, from the mean of its latent distribution.

    Args:
        model: A trained `VAE` or `Autoencoder` without conditions.
        images: `(n, height, width, channels)` on the scale of training.
        batch_size: Images at a time.

    Raises:
        InputError: The model takes conditions, or the images do not fit it.
    """
    if model.condition_spec is not None:
        raise InputError("Anomalies are scored by a VAE without conditions. Received: one that takes a condition.")
    check_shape(images, model.sample_spec.shape[1:])
    # Not `reconstruct`, which answers in data units: these need not be the scale of training.
    function = tf.function(model.call, input_signature=[model.sample_spec])
    expected = model.run_in_batches(function, images, batch_size=batch_size)
    maps = error_maps(images, expected)
    return AnomalyScores(maps.reshape(len(maps), -1).mean(axis=1), maps, expected)
