"""Batch normalisation whose scale and offset depend on the condition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from kmatgen.errors import InputError
from kmatgen.layers.batch_normalization import BatchNormalization
from kmatgen.registry import register


@register("layer")
class ConditionalBatchNormalization(keras.layers.Layer):
    """Normalise a batch, then scale and shift each channel by what the condition says.

    `y = gamma(condition) * normalised(x) + beta(condition)`; gamma and beta are looked up for class ids and
    affine for property vectors. They start as 1 and 0, that is as plain batch normalisation.

    Args:
        classes: Number of classes if the condition is class ids of shape `(batch,)`, from 0 to `classes - 1`.
            `None`: the condition is a property vector `(batch, size)`.
        momentum: Of the moving statistics, between 0 and 1.
        epsilon: Added to the variance.
        **kwargs: As for any Keras layer.

    Call as `layer(x, condition)` with `x` of shape `(batch, ..., channels)`; same shape and type out.

    Raises:
        InputError: Fewer than 1 class, or a condition of another rank.

    Source: Dumoulin, Shlens and Kudlur 2017, equation 5; de Vries et al. 2017, equations 4 and 5.
    """

    def __init__(
        self, classes: int | None = None, momentum: float = 0.99, epsilon: float = 1e-3, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if classes is not None and classes < 1:
            raise InputError(f"classes is at least 1, or None for a property vector. Received: {classes}.")
        self.classes = classes
        self.momentum = momentum
        self.epsilon = epsilon
        self.normalization = BatchNormalization(
            momentum=momentum, epsilon=epsilon, center=False, scale=False, dtype=self.dtype_policy, name="norm"
        )

    def build(self, inputs_shape: Sequence[int | None], condition_shape: Sequence[int | None]) -> None:
        rank = 2 if self.classes is None else 1
        if len(condition_shape) != rank:
            wanted = "a property vector (batch, size)" if rank == 2 else "class ids (batch,)"
            raise InputError(f"The condition is {wanted}. Received: shape {tuple(condition_shape)}.")
        self.normalization.build(inputs_shape)
        # Departures of gamma from 1 and of beta from 0, side by side.
        units = 2 * inputs_shape[-1]
        if self.classes is None:
            self.affine = keras.layers.Dense(units, kernel_initializer="zeros", dtype=self.dtype_policy, name="affine")
        else:
            self.affine = keras.layers.Embedding(
                self.classes, units, embeddings_initializer="zeros", dtype=self.dtype_policy, name="affine"
            )
        self.affine.build(condition_shape)

    def call(self, inputs: tf.Tensor, condition: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        x = self.normalization(inputs, training=training)
        affine = self.affine(condition)
        spread = [-1] + [1] * (len(inputs.shape) - 2) + [2 * inputs.shape[-1]]
        gamma, beta = tf.split(tf.reshape(affine, spread), 2, axis=-1)
        return x * (1.0 + gamma) + beta

    def compute_output_shape(
        self, inputs_shape: Sequence[int | None], condition_shape: Sequence[int | None]
    ) -> tuple[int | None, ...]:
        return tuple(inputs_shape)

    def get_config(self) -> dict[str, Any]:
        settings = {"classes": self.classes, "momentum": self.momentum, "epsilon": self.epsilon}
        return {**super().get_config(), **settings}
