import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg
from kmatgen.layers import UpsampledConv2D


def pair(factor, dtype="float32", **options):
    """The layer and what it stands for, with the same weights."""
    image = keras.Input((4, 6, 3))
    ours = keras.Model(image, UpsampledConv2D(5, factor, dtype=dtype, bias_initializer="normal", **options)(image))
    enlarged = keras.layers.UpSampling2D(factor)(image)
    theirs = keras.Model(image, keras.layers.Conv2D(5, 2, padding="same", dtype=dtype, **options)(enlarged))
    theirs.set_weights(ours.get_weights())
    return ours, theirs


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("options", [{}, {"activation": "relu"}, {"activation": "softmax"}])
def test_same_as_upsampling_and_convolution(rng, factor, options):
    x = rng.normal(size=(2, 4, 6, 3)).astype(np.float32)
    ours, theirs = pair(factor, **options)
    assert_allclose(ours(x), theirs(x), atol=1e-6)
    assert ours.output_shape == theirs.output_shape == (None, 4 * factor, 6 * factor, 5)


def test_without_bias(rng):
    x = rng.normal(size=(2, 4, 6, 3)).astype(np.float32)
    layer, plain = UpsampledConv2D(5, use_bias=False), keras.layers.Conv2D(5, 2, padding="same", use_bias=False)
    layer.build(x.shape)
    plain.build(x.shape)
    plain.set_weights(layer.get_weights())
    assert_allclose(layer(x), plain(np.repeat(np.repeat(x, 2, 1), 2, 2)), atol=1e-6)


def test_same_gradients(rng):
    x = tf.constant(rng.normal(size=(2, 4, 6, 3)), tf.float32)
    slopes = tf.constant(rng.normal(size=(2, 8, 12, 5)), tf.float32)
    gradients = []
    for model in pair(2, activation="tanh"):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.reduce_sum(slopes * model(x))
        gradients.append(tape.gradient(value, [x, *(weight.value for weight in model.weights)]))
    for ours, theirs in zip(*gradients, strict=True):
        assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("policy", "tolerance"), [("mixed_float16", 5e-3), ("mixed_bfloat16", 5e-2)])
def test_half_precision(rng, policy, tolerance):
    x = rng.normal(size=(2, 4, 6, 3)).astype(np.float32)
    ours, theirs = pair(2, policy)
    assert ours(x).dtype == theirs(x).dtype
    assert_allclose(ours(x), tf.cast(theirs(x), tf.float32), atol=tolerance)


def test_save_and_load(rng, tmp_path):
    model, _ = pair(3, activation="relu")
    model.save(tmp_path / "up.keras")
    loaded = kg.load_model(tmp_path / "up.keras")
    x = rng.normal(size=(2, 4, 6, 3)).astype(np.float32)
    assert_array_equal(loaded(x), model(x))
    assert loaded.layers[1].get_config() == model.layers[1].get_config()


def test_a_factor_that_enlarges_nothing():
    with pytest.raises(kg.InputError, match="Received: factor=1"):
        UpsampledConv2D(4, 1)
