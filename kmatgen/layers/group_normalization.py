"""Normalisation of groups of channels, with the modulation by a vector in the same multiplication and addition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from kmatgen.errors import InputError
from kmatgen.registry import register


@register("layer")
class GroupNormalization(keras.layers.Layer):
    """Normalise each group of channels of each sample, with a scale and an offset for each channel.

    The same outputs as `keras.layers.GroupNormalization`, in fewer passes over the maps: means and variances are taken
    of each channel first and put together for a group, and all that follows is one multiplication and one addition of
    a number for each sample and channel. Second derivatives, for gradient penalties, are right; those of Keras' are
    not, since its normalisations go through `tf.nn.moments`, which holds the mean constant inside the variance.

    Called with a vector, too, it scales and shifts once more: `y = (1 + gamma(vector)) * normalised(x) + beta(vector)`
    with gamma and beta affine and 0 at the start.

    Args:
        groups: Number of groups, a divisor of the number of channels.
        epsilon: Added to the variance, above 0.
        **kwargs: As for any Keras layer.

    Call as `layer(x)` or `layer(x, vector)` with `x` of shape `(batch, ..., channels)` and `vector` `(batch, size)`;
    same shape and type as `x` out. Statistics are float32.

    Raises:
        InputError: `groups` does not divide the channels, or an epsilon that is not positive.

    Source: Wu and He 2018, equations 1 to 6; modulation as in Perez et al. 2018 (FiLM), equation 1.
    """

    def __init__(self, groups: int = 8, epsilon: float = 1e-3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if groups < 1:
            raise InputError(f"groups is at least 1. Received: {groups}.")
        if epsilon <= 0:
            raise InputError(f"epsilon is above 0. Received: {epsilon}.")
        self.groups = groups
        self.epsilon = epsilon
        self.affine: keras.layers.Dense | None = None

    def build(self, inputs_shape: Sequence[int | None], vector_shape: Sequence[int | None] | None = None) -> None:
        channels = inputs_shape[-1]
        if channels % self.groups:
            raise InputError(f"groups divides the channels. Received: {self.groups} groups of {channels} channels.")
        self.gamma = self.add_weight(shape=(channels,), initializer="ones", autocast=False, name="gamma")
        self.beta = self.add_weight(shape=(channels,), initializer="zeros", autocast=False, name="beta")
        if vector_shape is not None:
            self.affine = keras.layers.Dense(
                2 * channels, kernel_initializer="zeros", dtype=self.dtype_policy, name="affine"
            )
            self.affine.build(vector_shape)

    def call(self, inputs: tf.Tensor, vector: tf.Tensor | None = None) -> tf.Tensor:
        shape = tf.shape(inputs)
        # All places on one axis: TensorFlow takes sums and broadcasts fastest like this.
        points = tf.reshape(tf.cast(inputs, tf.float32), [shape[0], -1, inputs.shape[-1]])
        mean, deviation = self._group_statistics(*_channel_moments(points))
        gamma, beta = (tf.cast(weight.value, tf.float32) for weight in (self.gamma, self.beta))
        scale = gamma / deviation
        offset = beta - mean * scale
        if vector is not None:
            more, shift = tf.split(tf.cast(self.affine(vector), tf.float32)[:, None], 2, axis=-1)
            scale, offset = scale * (1.0 + more), offset * (1.0 + more) + shift
        return tf.reshape(tf.cast(points * scale + offset, self.compute_dtype), shape)

    def _group_statistics(self, mean: tf.Tensor, variance: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean and standard deviation of each channel's group from the moments of channels, `(batch, 1, channels)`."""
        channels = mean.shape[-1]
        means, variances = (tf.reshape(x, [-1, self.groups, channels // self.groups]) for x in (mean, variance))
        group_mean = tf.reduce_mean(means, axis=-1, keepdims=True)
        # Within the channels and between them.
        group_variance = tf.reduce_mean(variances + tf.square(means - group_mean), axis=-1, keepdims=True)
        deviation = tf.sqrt(group_variance + self.epsilon)
        spread = (tf.broadcast_to(x, tf.shape(means)) for x in (group_mean, deviation))
        group_mean, deviation = (tf.reshape(x, [-1, 1, channels]) for x in spread)
        return group_mean, deviation

    def compute_output_shape(
        self, inputs_shape: Sequence[int | None], vector_shape: Sequence[int | None] | None = None
    ) -> tuple[int | None, ...]:
        return tuple(inputs_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "groups": self.groups, "epsilon": self.epsilon}


@tf.custom_gradient
def _channel_moments(points: tf.Tensor) -> tuple[tuple[tf.Tensor, tf.Tensor], Callable[..., tf.Tensor]]:
    """Mean and variance over the middle axis, kept with length 1."""
    mean = tf.reduce_mean(points, axis=1, keepdims=True)
    variance = tf.reduce_mean(tf.math.squared_difference(points, mean), axis=1, keepdims=True)

    def gradient(mean_slope: tf.Tensor, variance_slope: tf.Tensor) -> tf.Tensor:
        """One multiplication and one addition for each point, where differentiating the lines above takes eight."""
        count = tf.cast(tf.shape(points)[1], tf.float32)
        slope = variance_slope * (2.0 / count)
        # The mean anew, since what is computed outside counts as constant when this is differentiated in its turn.
        centre = tf.reduce_mean(points, axis=1, keepdims=True)
        return points * slope + (mean_slope / count - centre * slope)

    return (mean, variance), gradient
