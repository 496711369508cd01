"""Two means that losses and terms take: within each sample, and over the whole batch on all replicas."""

from __future__ import annotations

import tensorflow as tf


def sample_mean(values: tf.Tensor) -> tf.Tensor:
    """`(batch, ...)` to `(batch,)`: the mean of each sample's values; a `(batch,)` tensor stays as it is."""
    return tf.reduce_mean(tf.reshape(values, (tf.shape(values)[0], -1)), axis=1)


def batch_mean(values: tf.Tensor) -> tf.Tensor:
    """`(batch, ...)` to `(...)`: the mean over the samples of the global batch.

    A loss that is not itself a mean over samples, such as the square of a mean, must see the whole batch:
    the replicas' own means, squared and averaged, are another number. Differentiable; each replica has an
    equal share of the batch.
    """
    mean = tf.reduce_mean(values, axis=0)
    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return mean
    return replica.all_reduce(tf.distribute.ReduceOp.MEAN, mean)
