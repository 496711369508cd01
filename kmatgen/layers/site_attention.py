"""Attention between the sites of a cell that knows what lies between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from kmatgen.errors import InputError
from kmatgen.registry import register


@register("layer")
class SiteAttention(keras.layers.Layer):
    """Self-attention over sites, biased by their pairs and reading them.

    For sites i and j, features of the pair `e_ij` come from what lies between them, and from a vector for the whole
    cell (the lattice, the time) that says what these differences mean in space. They are added to the logits of each
    head, and averaged with the head's weights beside the values of the sites: so a site learns both who its
    neighbours are and where they stand. The order of the sites means nothing to it.

    Args:
        width: Channels out; a multiple of `heads`.
        heads: Number of attention heads.
        pair_width: Channels of the pairs.
        **kwargs: As for any Keras layer.

    Call as `layer(x, pairs, vector, present)` with `x` `(batch, sites, channels)`, `pairs` `(batch, sites, sites, f)`,
    `vector` `(batch, size)` and `present` `(batch, sites)`, 1 where there is a site; sites that are not there are not
    attended to. Returns `(batch, sites, width)`.

    Raises:
        InputError: `width` is no multiple of `heads`.

    Source: the pair features in logits and values follow Jumper et al. 2021 (invariant point attention, supplement
    1.8.2), on periodic differences instead of frames.
    """

    def __init__(self, width: int, heads: int = 8, pair_width: int = 32, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if heads < 1 or width < heads or width % heads:
            raise InputError(
                f"The width of an attention is a multiple of its heads. Received: width={width}, heads={heads}."
            )
        self.width = width
        self.heads = heads
        self.pair_width = pair_width
        dense = {"dtype": self.dtype_policy}
        self.project = keras.layers.Dense(3 * width, use_bias=False, name="query_key_value", **dense)
        self.pair_in = keras.layers.Dense(pair_width, name="pair_in", **dense)
        self.pair_meaning = keras.layers.Dense(pair_width, use_bias=False, name="pair_meaning", **dense)
        self.pair_out = keras.layers.Dense(pair_width + heads, name="pair_out", **dense)
        self.combine = keras.layers.Dense(width, name="combine", **dense)

    def build(
        self,
        inputs_shape: Sequence[int | None],
        pairs_shape: Sequence[int | None],
        vector_shape: Sequence[int | None],
        present_shape: Sequence[int | None],
    ) -> None:
        self.project.build(inputs_shape)
        self.pair_in.build(pairs_shape)
        self.pair_meaning.build(vector_shape)
        self.pair_out.build((*pairs_shape[:-1], self.pair_width))
        self.combine.build((*inputs_shape[:-1], self.width + self.heads * self.pair_width))

    def call(self, inputs: tf.Tensor, pairs: tf.Tensor, vector: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
        sites, depth = tf.shape(inputs)[1], self.width // self.heads
        projected = tf.reshape(self.project(inputs), [-1, sites, self.heads, 3 * depth])
        query, key, value = tf.split(projected, 3, axis=-1)

        hidden = tf.nn.silu(self.pair_in(pairs) + self.pair_meaning(vector)[:, None, None])
        read, bias = tf.split(self.pair_out(hidden), [self.pair_width, self.heads], axis=-1)
        read = tf.nn.silu(read)

        logits = tf.einsum("bihd,bjhd->bijh", query, key) * depth**-0.5 + bias
        absent = (tf.cast(present, tf.float32) - 1) * 1e9
        weights = tf.nn.softmax(tf.cast(logits, tf.float32) + absent[:, None, :, None], axis=2)
        weights = tf.cast(weights, self.compute_dtype)

        from_sites = tf.einsum("bijh,bjhd->bihd", weights, value)
        from_pairs = tf.einsum("bijh,bije->bihe", weights, read)
        both = tf.concat([from_sites, from_pairs], axis=-1)
        return self.combine(tf.reshape(both, [-1, sites, self.width + self.heads * self.pair_width]))

    def compute_output_shape(
        self,
        inputs_shape: Sequence[int | None],
        pairs_shape: Sequence[int | None],
        vector_shape: Sequence[int | None],
        present_shape: Sequence[int | None],
    ) -> tuple[int | None, ...]:
        return (*inputs_shape[:-1], self.width)

    def get_config(self) -> dict[str, Any]:
        own = {"width": self.width, "heads": self.heads, "pair_width": self.pair_width}
        return {**super().get_config(), **own}
