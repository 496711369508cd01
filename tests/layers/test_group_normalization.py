import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg
from kmatgen.layers import GroupNormalization
from tests.layers.second_derivatives import slope_and_difference


@pytest.mark.parametrize("shape", [(3, 5, 4), (3, 5, 4, 8), (2, 3, 4, 2, 6)])
@pytest.mark.parametrize("groups", [1, 2])
def test_same_as_keras(rng, shape, groups):
    layers = [kind(groups, epsilon=0.01) for kind in (GroupNormalization, keras.layers.GroupNormalization)]
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
        assert_allclose(ours, theirs, rtol=1e-5, atol=2e-5)


def test_vector_modulates(rng):
    x, vector = rng.normal(size=(2, 4, 4, 6)).astype("float32"), rng.normal(size=(2, 3)).astype("float32")
    layer = GroupNormalization(2)
    plain = layer(x, vector).numpy()
    assert_allclose(plain, keras.layers.GroupNormalization(2)(x), atol=1e-5)
    kernel, bias = rng.normal(size=(3, 12)), rng.normal(size=12)
    layer.affine.set_weights([kernel, bias])
    gamma, beta = np.split((vector @ kernel + bias)[:, None, None], 2, axis=-1)
    assert_allclose(layer(x, vector), plain * (1 + gamma) + beta, atol=1e-5)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("shape", [(4, 4, 4), (2, 2, 2, 4), (2, 2, 2, 2, 4)])
def test_second_derivatives(rng, groups, shape):
    x = tf.constant(rng.normal(size=shape), tf.float32)
    assert_allclose(*slope_and_difference(GroupNormalization(groups), x), rtol=5e-3)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision(rng, policy):
    layer = GroupNormalization(2, dtype=policy)
    x = tf.constant(rng.normal(3000, 100, (2, 8, 8, 4)), policy.removeprefix("mixed_"))
    y = layer(x, tf.zeros((2, 3)))
    assert y.dtype == x.dtype
    assert {weight.dtype for weight in layer.weights} == {"float32"}
    found = tf.reshape(tf.cast(y, tf.float32), (2, 64, 2, 2))
    assert_allclose(np.std(found, axis=(1, 3)), np.ones((2, 2)), rtol=0.02)


def test_save_and_load(rng, tmp_path):
    image, vector = keras.Input((4, 4, 4)), keras.Input((3,))
    model = keras.Model([image, vector], GroupNormalization(2, epsilon=0.5)(image, vector))
    model.set_weights([rng.normal(size=weight.shape) for weight in model.get_weights()])
    model.save(tmp_path / "norm.keras")
    inputs = [rng.normal(size=(2, *shape)).astype("float32") for shape in ((4, 4, 4), (3,))]
    assert_array_equal(kg.load_model(tmp_path / "norm.keras")(inputs), model(inputs))


@pytest.mark.parametrize("options", [{"groups": 0}, {"groups": 3}, {"epsilon": 0}])
def test_refuses(options):
    with pytest.raises(kg.InputError, match="Received: "):
        GroupNormalization(**options)(np.zeros((1, 2, 8), "float32"))
