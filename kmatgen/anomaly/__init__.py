"""How unlike its training data a sample is to a trained model, and where.

A model of normal samples does badly on others: a VAE reconstructs them badly, a GAN has no latent point for them, a
diffusion model removes noise from them badly. `anomaly_score` measures that, whatever the model.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kmatgen.anomaly.scores import AnomalyScores
from kmatgen.errors import InputError

__all__ = ["AnomalyScores", "anomaly_score", "fit_encoder"]


def anomaly_score(model: Any, images: np.ndarray, **options: Any) -> AnomalyScores:
    """Score images by a trained model: the higher, the less they are like what it was trained on.

    * VAE or autoencoder: the mean squared error of the reconstruction (An and Cho 2015 score by its probability).
    * GAN: the error of the best image that its generator makes, in pixels and in features of the discriminator
      (AnoGAN, Schlegl et al. 2017). The latent point is found by an `encoder` trained with `fit_encoder` (f-AnoGAN,
      Schlegl et al. 2019), by search, or by search from where the encoder leads.
    * Diffusion: the error with which added noise is removed, mean over several amounts of it (Graham et al. 2023).

    Args:
        model: A trained model of images.
        images: `(n, height, width, channels)` on the scale of what the model was trained on, such as [0, 1].
        **options: Of the GAN `encoder`, `search_steps`, `feature_weight`, `seed`; of the diffusion model `times`,
            `repeats`, `seed`, `condition`; of all `batch_size`. See `kmatgen.anomaly.adversarial.score_by_latent` and
            `kmatgen.anomaly.denoising.score_by_denoising`.

    Returns:
        A score for each image, and a map of squared errors that shows where it comes from.

    Raises:
        InputError: The images do not fit the model, or it is of none of these families.
    """
    from kmatgen.models.structures import floats_of

    images = floats_of("images", images)
    if images.ndim < 3 or len(images) == 0 or not np.isfinite(images).all():
        raise InputError(
            "Anomaly scores are of finite images (n, height, width, channels), at least one. "
            f"Received: shape {images.shape}."
        )
    if hasattr(model, "reconstruct"):
        from kmatgen.anomaly.reconstruction import score_by_reconstruction

        return score_by_reconstruction(model, images, **options)
    if hasattr(model, "discriminator"):
        from kmatgen.anomaly.adversarial import score_by_latent

        return score_by_latent(model, images, **options)
    if hasattr(model, "denoiser"):
        from kmatgen.anomaly.denoising import score_by_denoising

        return score_by_denoising(model, images, **options)
    raise InputError(f"Anomalies are scored by a VAE, a GAN or a diffusion model. Received: {type(model).__name__}.")


def fit_encoder(gan: Any, images: np.ndarray, **options: Any) -> Any:
    """Train an encoder for a finished GAN; see `kmatgen.anomaly.adversarial.fit_encoder`."""
    from kmatgen.anomaly.adversarial import fit_encoder as fit

    return fit(gan, images, **options)
