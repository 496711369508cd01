"""What lies between two sites of a cell, whichever periodic images are taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kmatgen.errors import InputError
from kmatgen.registry import register


@register("layer")
class PeriodicDifferences(keras.layers.Layer):
    """Sines and cosines of the differences of fractional coordinates, for every pair of sites.

    `sin(2 pi k (x_j - x_i))` and `cos(2 pi k (x_j - x_i))` for k from 1 to `frequencies` and each axis: unchanged when
    all sites move together, or one of them by a whole cell.

    Args:
        frequencies: Number of waves for each axis, at least 1.
        **kwargs: As for any Keras layer.

    Call with fractional coordinates `(batch, sites, 3)`; returns `(batch, sites, sites, 6 * frequencies)`.

    Raises:
        InputError: `frequencies` is not positive.

    Source: Jiao et al. 2023 (DiffCSP), equation 8.
    """

    def __init__(self, frequencies: int = 6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if frequencies < 1:
            raise InputError(f"frequencies is at least 1. Received: {frequencies}.")
        self.frequencies = frequencies

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        # In float32: a coordinate of float16 would be off by half a thousandth of a cell, times the highest frequency.
        coords = tf.cast(inputs, tf.float32)
        waves = 2 * np.pi * np.arange(1, self.frequencies + 1, dtype=np.float32)
        phases = (coords[:, None, :, :] - coords[:, :, None, :])[..., None] * waves
        features = tf.concat([tf.sin(phases), tf.cos(phases)], axis=-1)
        sites = tf.shape(coords)[1]
        return tf.cast(tf.reshape(features, [-1, sites, sites, 6 * self.frequencies]), self.compute_dtype)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        return (input_shape[0], input_shape[1], input_shape[1], 6 * self.frequencies)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "frequencies": self.frequencies}
