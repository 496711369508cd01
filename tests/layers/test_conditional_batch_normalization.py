import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg
from kmatgen.layers import ConditionalBatchNormalization

CONDITIONS = {
    3: np.array([0, 2, 2, 1], np.int32),
    None: np.array([[0.5, 1.0], [2.0, 0.0], [-1.0, 1.0], [0.0, 0.0]], np.float32),
}


@pytest.mark.parametrize("classes", [3, None])
@pytest.mark.parametrize("shape", [(4, 6), (4, 5, 6), (4, 3, 5, 6), (4, 2, 3, 2, 6)])
def test_starts_as_batch_normalisation(rng, classes, shape):
    x = rng.normal(2, 3, shape).astype(np.float32)
    layer, plain = ConditionalBatchNormalization(classes), keras.layers.BatchNormalization()
    for training in (True, False):
        ours = layer(x, CONDITIONS[classes], training=training)
        assert_allclose(ours, plain(x, training=training), rtol=1e-4, atol=1e-5)


def test_class_scales_and_shifts(rng):
    x = rng.normal(2, 3, (4, 5, 5, 2)).astype(np.float32)
    layer = ConditionalBatchNormalization(3)
    normalised = layer(x, CONDITIONS[3], training=True)
    gamma, beta = rng.normal(size=(2, 3, 2))
    layer.affine.embeddings.assign(np.concatenate([gamma - 1, beta], axis=1))
    ids = CONDITIONS[3]
    expected = gamma[ids][:, None, None] * normalised + beta[ids][:, None, None]
    assert_allclose(layer(x, ids, training=True), expected, rtol=1e-4, atol=1e-5)


def test_property_scales_and_shifts(rng):
    x = rng.normal(2, 3, (4, 7, 2)).astype(np.float32)
    condition = CONDITIONS[None]
    layer = ConditionalBatchNormalization()
    normalised = layer(x, condition, training=True)
    kernel, bias = rng.normal(size=(2, 4)), rng.normal(size=4)
    layer.affine.set_weights([kernel, bias])
    gamma, beta = np.split(condition @ kernel + bias, 2, axis=-1)
    expected = (1 + gamma)[:, None] * normalised + beta[:, None]
    assert_allclose(layer(x, condition, training=True), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision(rng, policy):
    layer = ConditionalBatchNormalization(3, dtype=policy)
    y = layer(rng.normal(size=(4, 5, 5, 2)).astype(np.float32), CONDITIONS[3], training=True)
    assert y.dtype == policy.removeprefix("mixed_")
    assert {weight.dtype for weight in layer.weights} == {"float32"}
    assert_allclose(np.mean(tf.cast(y, tf.float32)), 0, atol=0.01)


@pytest.mark.parametrize("classes", [3, None])
def test_save_and_load(rng, tmp_path, classes):
    image, condition = keras.Input((5, 5, 2)), keras.Input(CONDITIONS[classes].shape[1:], name="condition")
    model = keras.Model([image, condition], ConditionalBatchNormalization(classes, momentum=0.5)(image, condition))
    model.set_weights([rng.uniform(0.5, 1, weight.shape) for weight in model.get_weights()])
    model.save(tmp_path / "norm.keras")
    loaded = kg.load_model(tmp_path / "norm.keras")
    inputs = [rng.normal(size=(4, 5, 5, 2)).astype(np.float32), CONDITIONS[classes]]
    assert_array_equal(loaded(inputs), model(inputs))
    assert loaded.layers[-1].get_config() == model.layers[-1].get_config()


@pytest.mark.parametrize(("classes", "shape"), [(3, (2,)), (None, ())])
def test_bad_condition(classes, shape):
    with pytest.raises(kg.InputError, match="The condition is.*Received: shape"):
        ConditionalBatchNormalization(classes)(keras.Input((5, 2)), keras.Input(shape))


def test_bad_classes():
    with pytest.raises(kg.InputError, match="classes.*Received: 0"):
        ConditionalBatchNormalization(0)
