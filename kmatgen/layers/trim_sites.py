"""Leave out what no sample of a batch has: small crystals need not be padded to the largest there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from kmatgen.registry import register


@register("layer")
class TrimSites(keras.layers.Layer):
    """Keep as many sites as the largest sample of the batch has.

    The cost of what follows grows with the square of the number of sites; in batches of crystals of like size it is
    theirs, not that of the largest crystal of all. `RestoreSites` undoes it.

    Call as `layer(x, present)` with `x` `(batch, sites, channels)` and `present` `(batch, sites)`, 1 for each site,
    those that are there first; returns `(batch, n, channels)`, or of `present` itself `(batch, n)`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # The number of sites is known only when the batch is.
        self.supports_jit = False

    def call(self, inputs: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
        most = tf.cast(tf.reduce_max(tf.reduce_sum(tf.cast(present, tf.float32), axis=1)), tf.int32)
        return inputs[:, : tf.maximum(most, 1)]

    def compute_output_shape(
        self, inputs_shape: Sequence[int | None], present_shape: Sequence[int | None]
    ) -> tuple[int | None, ...]:
        return (inputs_shape[0], None, *inputs_shape[2:])


@register("layer")
class RestoreSites(keras.layers.Layer):
    """Append zeros for the sites that `TrimSites` left out.

    Args:
        sites: Number of sites in the result.
        **kwargs: As for any Keras layer.

    Call with `(batch, n, channels)`; returns `(batch, sites, channels)`.
    """

    def __init__(self, sites: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sites = sites

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        restored = tf.pad(inputs, [[0, 0], [0, self.sites - tf.shape(inputs)[1]], [0, 0]])
        return tf.ensure_shape(restored, [None, self.sites, inputs.shape[-1]])

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        return (input_shape[0], self.sites, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "sites": self.sites}
