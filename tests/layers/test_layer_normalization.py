import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg
from kmatgen.layers import BatchNormalization, LayerNormalization
from tests.layers.second_derivatives import slope_and_difference


@pytest.mark.parametrize("shape", [(3, 6), (3, 5, 4), (3, 5, 4, 2), (2, 3, 4, 2, 2)])
def test_same_as_one_group_of_keras(rng, shape):
    layers = [LayerNormalization(epsilon=0.01), keras.layers.GroupNormalization(groups=1, epsilon=0.01)]
    x, values = tf.constant(rng.normal(3, 2, shape), tf.float32), rng.normal(size=(2, shape[-1]))
    results = []
    for layer in layers:
        layer.build(shape)
        layer.set_weights(values)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            loss = tf.reduce_sum(tf.sin(y))
        results.append([y, *tape.gradient(loss, [x, *[weight.value for weight in layer.trainable_weights]])])
    for ours, theirs in zip(*results, strict=True):
        assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("shape", [(6, 3), (4, 4, 2), (2, 2, 2, 2), (2, 2, 2, 2, 2)])
def test_second_derivatives(rng, shape):
    x = tf.constant(rng.normal(size=shape), tf.float32)
    for layer in (LayerNormalization(), BatchNormalization()):
        assert_allclose(*slope_and_difference(layer, x), rtol=5e-3)


@pytest.mark.parametrize("layer", [keras.layers.GroupNormalization, keras.layers.BatchNormalization])
def test_why_not_keras(rng, layer):
    """Should this fail, Keras' normalisations have become right in second derivatives."""
    x = tf.constant(rng.normal(size=(2, 2, 2, 2)), tf.float32)
    options = {"groups": 1} if layer is keras.layers.GroupNormalization else {}
    analytic, numeric = slope_and_difference(layer(**options), x)
    assert abs(analytic / numeric - 1) > 0.02


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision(rng, policy):
    layer = LayerNormalization(dtype=policy)
    x = tf.constant(rng.normal(3000, 100, (2, 8, 8, 2)), policy.removeprefix("mixed_"))
    y = layer(x)
    assert y.dtype == x.dtype
    assert {weight.dtype for weight in layer.weights} == {"float32"}
    assert_allclose(np.std(tf.cast(y, tf.float32), axis=(1, 2, 3)), [1, 1], rtol=0.02)


def test_save_and_load(rng, tmp_path):
    image = keras.Input((4, 4, 2))
    model = keras.Model(image, LayerNormalization(epsilon=0.5)(image))
    model.save(tmp_path / "norm.keras")
    x = rng.normal(size=(2, 4, 4, 2)).astype(np.float32)
    assert_array_equal(kg.load_model(tmp_path / "norm.keras")(x), model(x))


def test_bad_epsilon():
    with pytest.raises(kg.InputError, match="epsilon.*Received: 0"):
        LayerNormalization(0)
