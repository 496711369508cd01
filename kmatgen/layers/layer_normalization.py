"""Normalisation of each sample by itself, right in second derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from kmatgen.errors import InputError
from kmatgen.registry import register


@register("layer")
class LayerNormalization(keras.layers.Layer):
    """Normalise each sample over all its axes, with a scale and an offset for each channel.

    The layer normalisation of WGAN-GP critics: the same outputs as `keras.layers.GroupNormalization(groups=1)`.
    Unlike it, and the other normalisations of Keras, it can stand under a gradient penalty: those go through
    `tf.nn.moments`, which holds the mean constant inside the variance. That leaves first derivatives right and
    makes second derivatives silently wrong (by 1 % in a small critic's penalty).

    Args:
        epsilon: Added to the variance, above 0.
        **kwargs: As for any Keras layer.

    Call with `(batch, ..., channels)`; same shape and type out. Statistics are float32.

    Raises:
        InputError: An epsilon that is not positive.

    Source: Ba, Kiros and Hinton 2016, equations 3 and 4; Gulrajani et al. 2017, section 4.
    """

    def __init__(self, epsilon: float = 1e-3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if epsilon <= 0:
            raise InputError(f"epsilon is above 0. Received: {epsilon}.")
        self.epsilon = epsilon

    def build(self, input_shape: Sequence[int | None]) -> None:
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(shape=shape, initializer="ones", autocast=False, name="gamma")
        self.beta = self.add_weight(shape=shape, initializer="zeros", autocast=False, name="beta")

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        x = tf.cast(inputs, tf.float32)
        axes = list(range(1, len(inputs.shape)))
        centred = x - tf.reduce_mean(x, axes, keepdims=True)
        variance = tf.reduce_mean(tf.square(centred), axes, keepdims=True)
        normalised = centred * tf.math.rsqrt(variance + self.epsilon)
        gamma, beta = (tf.cast(weight.value, tf.float32) for weight in (self.gamma, self.beta))
        return tf.cast(normalised * gamma + beta, self.compute_dtype)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon}
