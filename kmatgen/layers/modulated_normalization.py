"""Layer normalisation that a vector scales and shifts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from kmatgen.registry import register


@register("layer")
class ModulatedNormalization(keras.layers.Layer):
    """Normalise over the channels, then scale and shift each channel by what a vector says.

    `y = (1 + gamma(vector)) * normalised(x) + beta(vector)`, gamma and beta affine and 0 at the start: how a denoiser
    is told the time and the condition.

    Args:
        epsilon: Added to the variance, above 0.
        **kwargs: As for any Keras layer.

    Call as `layer(x, vector)` with `x` of shape `(batch, ..., channels)` and `vector` `(batch, size)`; same shape and
    type as `x` out.

    Source: Perez et al. 2018 (FiLM), equation 1; with a normalisation before it Peebles and Xie 2023 (adaLN-zero).
    """

    def __init__(self, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, inputs_shape: Sequence[int | None], vector_shape: Sequence[int | None]) -> None:
        self.affine = keras.layers.Dense(
            2 * inputs_shape[-1], kernel_initializer="zeros", dtype=self.dtype_policy, name="affine"
        )
        self.affine.build(vector_shape)

    def call(self, inputs: tf.Tensor, vector: tf.Tensor) -> tf.Tensor:
        x = tf.cast(inputs, tf.float32)
        centred = x - tf.reduce_mean(x, axis=-1, keepdims=True)
        normalised = centred * tf.math.rsqrt(tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True) + self.epsilon)
        affine = self.affine(vector)
        affine = tf.reshape(affine, [-1, *[1] * (len(inputs.shape) - 2), affine.shape[-1]])
        gamma, beta = tf.split(affine, 2, axis=-1)
        return (1 + gamma) * tf.cast(normalised, self.compute_dtype) + beta

    def compute_output_shape(
        self, inputs_shape: Sequence[int | None], vector_shape: Sequence[int | None]
    ) -> tuple[int | None, ...]:
        return tuple(inputs_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon}
