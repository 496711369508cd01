"""Rounds and critics for the tests of terms."""

import keras
import numpy as np
import tensorflow as tf

from kmatgen.adversarial.round import Round, discriminate


def tensors(structure):
    return keras.tree.map_structure(lambda leaf: None if leaf is None else tf.convert_to_tensor(leaf), structure)


def make_round(real=None, fake=None, critic=None, real_outputs=None, fake_outputs=None, condition=None, inputs=None):
    """A round that holds what a test is about; with a critic, its outputs for the samples."""
    real, fake, condition, inputs = map(tensors, (real, fake, condition, inputs))
    if critic is not None:
        real_outputs = discriminate(critic, real, condition)
        fake_outputs = discriminate(critic, fake, condition)
    seed = tf.constant([1, 2])
    return Round(None, critic, inputs, condition, real, fake, tensors(real_outputs), tensors(fake_outputs), seed)


def with_kernel(layer, values):
    """Set the kernel of a built layer."""
    layer.kernel.assign(np.reshape(np.asarray(values, np.float32), layer.kernel.shape))


def linear_critic(weights):
    """`D(x) = w . x`, whose gradient is w everywhere."""
    sample = keras.Input((len(weights),), name="sample")
    layer = keras.layers.Dense(1, use_bias=False, dtype="float32")
    critic = keras.Model(sample, layer(sample))
    with_kernel(layer, weights)
    return critic


def square_critic(size):
    """`D(x) = |x|^2`, whose gradient is 2 x."""
    sample = keras.Input((size,), name="sample")
    return keras.Model(sample, keras.ops.sum(keras.ops.square(sample), axis=-1, keepdims=True))
