"""The pieces of the evidence lower bound: reconstruction losses and the Kullback-Leibler divergence.

Pure functions of tensors; `Autoencoder` and `VAE` only choose among them.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

from kmatgen.errors import InputError
from kmatgen.models.requirements import require

KL_REDUCTIONS = ("mean", "sum", "per_value")

# (data, scores of the decoder, activation that makes a sample of the scores) -> the loss of each value
Reconstruction = Callable[[tf.Tensor, tf.Tensor, Callable[[tf.Tensor], tf.Tensor]], tf.Tensor]


def binary_crossentropy(data: tf.Tensor, scores: tf.Tensor, activation: Callable) -> tf.Tensor:
    """Of each value `-x log p - (1 - x) log(1 - p)` with `p = sigmoid(scores)`, from the logits.

    The smallest value possible is the binary entropy of the data, not 0, unless the data are 0 or 1.

    Args:
        data: Values in [0, 1].
        scores: Logits of the same shape.
        activation: Must be the sigmoid.

    Raises:
        InputError: Data are not in [0, 1]; in a traced step within `kmatgen.models.requirements.explained`.
    """
    least, most = tf.reduce_min(data), tf.reduce_max(data)
    sentence = "binary_crossentropy needs data from 0 to 1, mean_squared_error takes any. Received:"
    data = require(tf.logical_and(least >= 0.0, most <= 1.0), sentence, least, "to", most, of=data)
    return tf.nn.sigmoid_cross_entropy_with_logits(labels=data, logits=scores)


def squared_error(data: tf.Tensor, scores: tf.Tensor, activation: Callable) -> tf.Tensor:
    """Of each value `(x - activation(scores))**2`."""
    return tf.square(data - activation(scores))


RECONSTRUCTIONS: dict[str, Reconstruction] = {
    "binary_crossentropy": binary_crossentropy,
    "mean_squared_error": squared_error,
}


def get_reconstruction(name: str, activation: Callable) -> Reconstruction:
    """The reconstruction loss of that name, value by value; models take its mean.

    Raises:
        InputError: There is no such loss, or it cannot follow this output activation.
    """
    if name not in RECONSTRUCTIONS:
        raise InputError(f"reconstruction is one of {', '.join(RECONSTRUCTIONS)}. Received: {name!r}.")
    if name == "binary_crossentropy" and activation is not keras.activations.sigmoid:
        raise InputError(
            "binary_crossentropy needs a model with output_activation='sigmoid'; mean_squared_error takes any. "
            f"Received: output_activation={keras.activations.serialize(activation)!r}."
        )
    return RECONSTRUCTIONS[name]


def kl_divergence(mean: tf.Tensor, log_var: tf.Tensor, reduction: str = "mean", values: int = 1) -> tf.Tensor:
    """KL divergence of the diagonal Gaussian N(mean, exp(log_var)) from N(0, 1).

    For one latent dimension it is `-1/2 (1 + log_var - mean**2 - exp(log_var))` (Kingma and Welling 2014,
    appendix B). It is averaged over the batch and, over the latent dimensions,

    * `"mean"`: averaged (microstructure studies);
    * `"sum"`: summed, which is the divergence of the joint distribution;
    * `"per_value"`: summed, and divided by the number of values of a sample. As the reconstruction losses are
      means over these values, too, a weight of 1 then gives the evidence lower bound with binary cross-entropy,
      whatever the size of a sample and of the latent space.

    Args:
        mean: `(batch, latent_dim)`.
        log_var: `(batch, latent_dim)`, natural logarithm of the variance.
        reduction: One of `KL_REDUCTIONS`.
        values: Number of values of a sample, for `"per_value"`.
    """
    each = -0.5 * (1.0 + log_var - tf.square(mean) - tf.exp(log_var))
    if reduction == "mean":
        return tf.reduce_mean(each)
    total = tf.reduce_mean(tf.reduce_sum(each, axis=-1))
    return total / values if reduction == "per_value" else total
