"""Anomalies by reconstruction: what does not fit through the latent space is not normal."""

from __future__ import annotations

import numpy as np

from kmatgen.anomaly.scores import AnomalyScores, check_shape, error_maps
from kmatgen.models.autoencoder import Autoencoder


def score_by_reconstruction(model: Autoencoder, images: np.ndarray, *, batch_size: int = 64) -> AnomalyScores:
    """The mean squared error of an image's reconstruction, from the mean of its latent distribution.

    Args:
        model: A trained `VAE` or `Autoencoder`.
        images: `(n, height, width, channels)`.
        batch_size: Images at a time.
    """
    check_shape(images, model.encoder.input.shape[1:])
    expected = model.reconstruct(images, batch_size=batch_size)
    maps = error_maps(images, expected)
    return AnomalyScores(maps.reshape(len(maps), -1).mean(axis=1), maps, expected)
