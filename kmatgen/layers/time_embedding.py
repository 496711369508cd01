"""The time of a diffusion as a vector that a network can read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kmatgen.errors import InputError
from kmatgen.registry import register


@register("layer")
class TimeEmbedding(keras.layers.Layer):
    """Sines and cosines of a time between 0 and 1, at frequencies from 1 to 1,000 radians.

    Args:
        size: Numbers in the embedding, even and at least 2.
        **kwargs: As for any Keras layer.

    Call with times `(batch,)`; returns `(batch, size)`.

    Raises:
        InputError: `size` is odd or too small.

    Source: Vaswani et al. 2017, section 3.5; as in Ho et al. 2020, with times of [0, 1] instead of step numbers.
    """

    def __init__(self, size: int = 64, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "autocast": False})
        if size < 2 or size % 2:
            raise InputError(f"The size of a time embedding is even and at least 2. Received: {size}.")
        self.size = size

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        # In float32: half precision knows only a thousand different times.
        frequencies = np.geomspace(1.0, 1000.0, self.size // 2, dtype=np.float32)
        phases = tf.cast(inputs, tf.float32)[:, None] * frequencies
        return tf.cast(tf.concat([tf.sin(phases), tf.cos(phases)], axis=-1), self.compute_dtype)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        return (input_shape[0], self.size)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}
