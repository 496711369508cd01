"""Stateless seeds `(2,)`, from which everything random in TensorFlow is drawn."""

from __future__ import annotations

import tensorflow as tf


def sample_seed(seed: tf.Tensor | int) -> tf.Tensor:
    """The stateless seed that stands for a user's one integer."""
    return tf.stack([tf.cast(seed, tf.int32), 0])


def fold_seed(seed: tf.Tensor, number: tf.Tensor | int) -> tf.Tensor:
    """Another stateless seed, for another use of randomness."""
    return tf.random.experimental.stateless_fold_in(seed, number)
