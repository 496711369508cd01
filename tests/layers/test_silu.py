import keras
import numpy as np
import tensorflow as tf
from numpy.testing import assert_allclose

from kmatgen.layers import SiLU


def test_same_as_keras_with_its_gradient():
    x = tf.constant(np.linspace(-20, 20, 41), tf.float32)
    results = []
    for function in (SiLU(), keras.activations.silu):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        results.append((y, tape.gradient(y, x)))
    assert_allclose(*results, rtol=1e-5, atol=1e-6)


def test_half_precision():
    assert SiLU(dtype="mixed_float16")(tf.ones(3)).dtype == tf.float16
