"""Autoencoder and variational autoencoder."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kmatgen.errors import InputError
from kmatgen.models.base import GenerativeModel, Logs
from kmatgen.models.elbo import KL_REDUCTIONS, get_reconstruction, kl_divergence
from kmatgen.models.sampling import Signatures
from kmatgen.registry import register
from kmatgen.schedules import Schedule


@register("model")
class Autoencoder(GenerativeModel):
    """Encoder and decoder trained to reconstruct, without sampling: the baseline of a VAE.

    Args:
        encoder: Data to latent points `(batch, latent_dim)`.
        decoder: Latent points to scores of the data's shape.
        output_activation: Keras activation that turns the decoder's scores into a sample.
        seed: Seed of the model's random state.
        name: Name of the model.

    Raises:
        InputError: The networks do not fit each other.
    """

    NETWORKS = ("encoder", "decoder")
    HAS_PRIOR = False
    LOGS = ("loss", "reconstruction_loss")

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        output_activation: str = "sigmoid",
        seed: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__({"encoder": encoder, "decoder": decoder}, seed=seed, name=name, **kwargs)
        self.output_activation = keras.activations.get(output_activation)
        self.latent_dim = self._check_networks()
        self.add_trackers(self.LOGS)

    def _check_networks(self) -> int:
        latent = self._latent_output()
        if tuple(latent.shape) != tuple(self.decoder.input.shape):
            raise InputError(
                f"The decoder takes what the encoder gives, {tuple(latent.shape)}. "
                f"Received: a decoder of {tuple(self.decoder.input.shape)}."
            )
        if tuple(self.decoder.output.shape) != tuple(self.encoder.input.shape):
            raise InputError(
                f"The decoder gives what the encoder takes, {tuple(self.encoder.input.shape)}. "
                f"Received: a decoder to {tuple(self.decoder.output.shape)}."
            )
        return latent.shape[-1]

    def _latent_output(self) -> keras.KerasTensor:
        if isinstance(self.encoder.output, dict):
            raise InputError(
                "Autoencoder needs an encoder with one output, the latent point; VAE takes 'mean' and 'log_var'. "
                f"Received: an encoder with outputs {sorted(self.encoder.output)}."
            )
        return self.encoder.output

    def get_config(self) -> dict[str, Any]:
        activation = keras.activations.serialize(self.output_activation)
        return {**super().get_config(), "output_activation": activation}

    def compile(self, optimizer: Any = "adam", reconstruction: str = "binary_crossentropy", **execution: Any) -> None:
        """Choose how to train.

        Args:
            optimizer: Keras optimiser, or its name.
            reconstruction: `"binary_crossentropy"` on logits, for data in [0, 1], or `"mean_squared_error"`.
            **execution: `run_eagerly`, `steps_per_execution`, `jit_compile`, as in `GenerativeModel.compile`.
        """
        self._compile(optimizer, {"reconstruction": reconstruction}, execution)

    def _compile(self, optimizer: Any, arguments: dict[str, Any], execution: dict[str, Any]) -> None:
        self.reconstruction = get_reconstruction(arguments["reconstruction"], self.output_activation)
        optimizer = self.prepare_optimizer(optimizer, self.trainable_variables)
        GenerativeModel.compile(self, optimizer, {"optimizer": optimizer, **arguments}, **execution)

    def train_step(self, data: Any) -> Logs:
        images = _only_inputs(data)
        seed = self.next_seed()
        logs = self.minimise(self.optimizer, self.trainable_variables, lambda: self.losses_of(images, seed, True))
        return self.track(logs, tf.shape(images)[0])

    def test_step(self, data: Any) -> Logs:
        images = _only_inputs(data)
        # A fixed seed: an evaluation can be repeated, and it leaves the random state of training alone.
        _, logs = self.losses_of(images, tf.constant([0, 0]), False)
        return self.track(logs, tf.shape(images)[0])

    def losses_of(self, images: tf.Tensor, seed: tf.Tensor, training: bool) -> tuple[tf.Tensor, Logs]:
        """The loss to minimise, and the values to log.

        Args:
            images: Data `(batch, ...)`.
            seed: Stateless seed `(2,)`; not used without sampling.
            training: Whether layers run in training mode.
        """
        scores = self.decoder(self.encoder(images, training=training), training=training)
        loss = self.reconstruction(images, tf.cast(scores, tf.float32), self.output_activation)
        return loss, {"loss": loss, "reconstruction_loss": loss}

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Reconstruct."""
        return self._decode(self.encode_latent(images, training), training)

    # Latent space

    def encode_latent(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Data to latent points."""
        return self.encoder(images, training=training)

    def decode_latent(self, latent: tf.Tensor, condition: tf.Tensor | None = None) -> tf.Tensor:
        """Latent points to samples in data units, float32; there is no condition."""
        return self._decode(latent, training=False)

    def _decode(self, latent: tf.Tensor, training: bool) -> tf.Tensor:
        return self.output_activation(tf.cast(self.decoder(latent, training=training), tf.float32))

    @property
    def latent_spec(self) -> tf.TensorSpec:
        return tf.TensorSpec((None, self.latent_dim), tf.float32, name="latent")

    @property
    def image_spec(self) -> tf.TensorSpec:
        """Shape and type of a batch of data, the batch size open."""
        return tf.TensorSpec(self.encoder.input.shape, tf.float32, name="image")

    @cached_property
    def encoding(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """`encode_latent`, traced once."""
        return tf.function(self.encode_latent, input_signature=[self.image_spec])

    def encode(self, images: np.ndarray, batch_size: int = 64) -> np.ndarray:
        """Data `(n, ...)` to latent points `(n, latent_dim)`; for a VAE, the means."""
        return self.run_in_batches(self.encoding, self._checked(images, self.image_spec), batch_size=batch_size)

    def decode(self, latent: np.ndarray, batch_size: int = 64) -> np.ndarray:
        """Latent points `(n, latent_dim)` to samples `(n, ...)` in data units."""
        return self.run_in_batches(self.decoding, self._checked(latent, self.latent_spec), batch_size=batch_size)

    def reconstruct(self, images: np.ndarray, batch_size: int = 64) -> np.ndarray:
        """Data `(n, ...)` through the latent space and back."""
        return self.decode(self.encode(images, batch_size), batch_size)

    def interpolate(self, start: np.ndarray, end: np.ndarray, steps: int = 8) -> np.ndarray:
        """Decode `steps` points on the straight line between the latent points of two data.

        Args:
            start: One datum, without batch axis.
            end: One datum, without batch axis.
            steps: Number of points, both ends included; at least 2.

        Returns:
            `(steps, ...)`, from the reconstruction of `start` to that of `end`.
        """
        if steps < 2:
            raise InputError(f"interpolate needs at least 2 steps. Received: steps={steps}.")
        first, last = self.encode(np.stack([start, end]))
        return self.decode(np.linspace(first, last, steps))

    def signatures(self) -> Signatures:
        return {
            **super().signatures(),
            "encode": (lambda image: {"latent": self.encode_latent(image)}, [self.image_spec]),
            "reconstruct": (lambda image: {"sample": self.call(image)}, [self.image_spec]),
        }

    @staticmethod
    def _checked(array: np.ndarray, spec: tf.TensorSpec) -> np.ndarray:
        array = np.asarray(array, np.float32)
        if not spec.shape.is_compatible_with(array.shape):
            raise InputError(f"This model takes {spec.name}s of shape {spec.shape}. Received: {array.shape}.")
        return array


@register("model")
class VAE(Autoencoder):
    """Variational autoencoder (Kingma and Welling, "Auto-Encoding Variational Bayes", 2014).

    It minimises `reconstruction_loss + kl_weight * kl_loss`; see `kmatgen.models.elbo` for both formulas.

    Args:
        encoder: Data to a dict of `mean` and `log_var`, each `(batch, latent_dim)`.
        decoder: Latent points to scores of the data's shape.
        output_activation: Keras activation that turns the decoder's scores into a sample.
        seed: Seed of the model's random state.
        name: Name of the model.

    Raises:
        InputError: The networks do not fit each other.
    """

    HAS_PRIOR = True
    LOGS = ("loss", "reconstruction_loss", "kl_loss", "kl_weight")

    def _latent_output(self) -> keras.KerasTensor:
        outputs = self.encoder.output
        if not isinstance(outputs, dict) or not {"mean", "log_var"} <= set(outputs):
            found = sorted(outputs) if isinstance(outputs, dict) else "one output"
            raise InputError(f"VAE needs an encoder with the outputs 'mean' and 'log_var'. Received: {found}.")
        return outputs["mean"]

    def compile(
        self,
        optimizer: Any = "adam",
        reconstruction: str = "binary_crossentropy",
        kl_weight: float | Schedule = 0.012,
        kl_reduction: str = "mean",
        **execution: Any,
    ) -> None:
        """Choose how to train.

        Args:
            optimizer: Keras optimiser, or its name.
            reconstruction: `"binary_crossentropy"` on logits, for data in [0, 1], or `"mean_squared_error"`.
            kl_weight: Weight of the divergence, a number or a schedule of the optimiser's step
                (`kmatgen.schedules.LinearWarmup`, `Cyclical`, or any Keras learning-rate schedule).
            kl_reduction: `"mean"` or `"sum"` over the latent dimensions, or `"per_value"`: summed
                and divided by the number of values of a sample, with which a weight of 1 is the evidence lower bound.
            **execution: `run_eagerly`, `steps_per_execution`, `jit_compile`, as in `GenerativeModel.compile`.
        """
        if kl_reduction not in KL_REDUCTIONS:
            raise InputError(f"kl_reduction is one of {', '.join(KL_REDUCTIONS)}. Received: {kl_reduction!r}.")
        if not isinstance(kl_weight, Schedule) and kl_weight < 0:
            raise InputError(f"kl_weight is a schedule or a number of at least 0. Received: {kl_weight}.")
        self.kl_weight = kl_weight
        self.kl_reduction = kl_reduction
        arguments = {"reconstruction": reconstruction, "kl_weight": kl_weight, "kl_reduction": kl_reduction}
        self._compile(optimizer, arguments, execution)

    def losses_of(self, images: tf.Tensor, seed: tf.Tensor, training: bool) -> tuple[tf.Tensor, Logs]:
        posterior = self.encoder(images, training=training)
        mean, log_var = tf.cast(posterior["mean"], tf.float32), tf.cast(posterior["log_var"], tf.float32)
        latent = mean + tf.exp(0.5 * log_var) * tf.random.stateless_normal(tf.shape(mean), seed)
        scores = tf.cast(self.decoder(latent, training=training), tf.float32)

        reconstruction_loss = self.reconstruction(images, scores, self.output_activation)
        kl_loss = kl_divergence(mean, log_var, self.kl_reduction, math.prod(self.image_spec.shape[1:]))
        kl_weight = self.kl_weight_at(self.optimizer.iterations)
        loss = reconstruction_loss + kl_weight * kl_loss
        return loss, dict(zip(self.LOGS, (loss, reconstruction_loss, kl_loss, kl_weight), strict=True))

    def kl_weight_at(self, step: tf.Tensor | int) -> tf.Tensor:
        """The weight of the divergence at an optimiser step."""
        weight = self.kl_weight(step) if isinstance(self.kl_weight, Schedule) else self.kl_weight
        return tf.cast(weight, tf.float32)

    def encode_latent(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Data to the means of their latent distributions."""
        return self.encoder(images, training=training)["mean"]

    def signatures(self) -> Signatures:
        encode = (lambda image: dict(self.encoder(image, training=False)), [self.image_spec])
        return {**super().signatures(), "encode": encode}


def _only_inputs(data: Any) -> tf.Tensor:
    return keras.utils.unpack_x_y_sample_weight(data)[0]
