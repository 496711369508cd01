"""Sites that pull and push each other: a vector for every site, made of directions to its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from kmatgen.registry import register


@register("layer")
class PairForces(keras.layers.Layer):
    """Sums of directions to neighbours, weighted by what the two sites and their distance say.

    `v_i = sum_jk c_k(x_i, x_j, e_ij) r_ijk` over sites j and radial functions k: whatever the weights, turning or
    relabelling the axes of the cell turns the result with it. The weights are 0 before training.

    Args:
        units: Hidden units for each pair of sites.
        **kwargs: As for any Keras layer.

    Call as `layer(x, pairs, directions, present)` with `x` `(batch, sites, channels)`, `pairs` `(batch, sites, sites,
    f)`, `directions` `(batch, sites, sites, k, 3)` of `PeriodicNeighbours` and `present` `(batch, sites)`, 1 where
    there is a site; returns `(batch, sites, 3)` in float32.

    Source: equivariant sums of Satorras et al. 2021 (EGNN), equation 4, over periodic images and radial functions.
    """

    def __init__(self, units: int = 32, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.of_sites = keras.layers.Dense(2 * units, dtype=self.dtype_policy, name="of_sites")
        self.of_pairs = keras.layers.Dense(units, use_bias=False, dtype=self.dtype_policy, name="of_pairs")

    def build(
        self,
        x_shape: Sequence[int | None],
        pairs_shape: Sequence[int | None],
        directions_shape: Sequence[int | None],
        present_shape: Sequence[int | None],
    ) -> None:
        self.of_sites.build(x_shape)
        self.of_pairs.build(pairs_shape)
        self.weights_of = keras.layers.Dense(
            directions_shape[-2], kernel_initializer="zeros", dtype="float32", name="weights_of"
        )
        self.weights_of.build((*pairs_shape[:-1], self.units))

    def call(self, x: tf.Tensor, pairs: tf.Tensor, directions: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
        one, other = tf.split(self.of_sites(x), 2, axis=-1)
        hidden = tf.nn.silu(self.of_pairs(pairs) + one[:, :, None] + other[:, None, :])
        weights = tf.cast(self.weights_of(hidden), tf.float32) * tf.cast(present, tf.float32)[:, None, :, None]
        return tf.einsum("bijk,bijkc->bic", weights, directions)

    def compute_output_shape(
        self,
        x_shape: Sequence[int | None],
        pairs_shape: Sequence[int | None],
        directions_shape: Sequence[int | None],
        present_shape: Sequence[int | None],
    ) -> tuple[int | None, ...]:
        return (*x_shape[:-1], 3)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}
