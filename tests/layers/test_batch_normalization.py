import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg
from kmatgen.layers import BatchNormalization
from tests.tiny_models import two_replicas

SHAPE = (3, 4, 5, 2)


def pair(shape=SHAPE, **options):
    """Our layer and Keras', with the same weights, none of them at its start value."""
    layers = [kind(**options) for kind in (BatchNormalization, keras.layers.BatchNormalization)]
    rng = np.random.default_rng(1)
    for layer in layers:
        layer.build(shape)
    values = [rng.uniform(0.5, 1.5, weight.shape) for weight in layers[0].weights]
    for layer in layers:
        layer.set_weights(values)
    return layers


def run(layer, x, training):
    """Outputs, gradients for inputs and weights, and what the moving statistics become."""
    x = tf.cast(x, layer.compute_dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=training)
        loss = tf.reduce_sum(tf.sin(3.0 * tf.cast(y, tf.float32)))
    gradients = tape.gradient(loss, [x, *[weight.value for weight in layer.trainable_weights]])
    return [y, *gradients, *[weight.numpy() for weight in layer.non_trainable_weights]]


def assert_same(layers, x, training, **tolerance):
    for ours, theirs in zip(*[run(layer, x, training) for layer in layers], strict=True):
        assert keras.backend.standardize_dtype(ours.dtype) == keras.backend.standardize_dtype(theirs.dtype)
        assert_allclose(np.asarray(ours, np.float32), np.asarray(theirs, np.float32), **tolerance)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "options",
    [{}, {"center": False}, {"scale": False}, {"center": False, "scale": False}, {"momentum": 0.5, "epsilon": 0.1}],
)
def test_same_as_keras(rng, training, options):
    assert_same(pair(**options), rng.normal(2, 3, SHAPE), training, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_same_as_keras_in_half_precision(rng, training, policy):
    tolerance = {"mixed_float16": 0.01, "mixed_bfloat16": 0.06}[policy]
    layers = pair(dtype=policy)
    assert_same(layers, rng.normal(1, 2, SHAPE), training, rtol=tolerance, atol=tolerance)
    # The statistics are float32's own, not rounded to half precision on the way.
    for ours, theirs in zip(*[layer.non_trainable_weights for layer in layers], strict=True):
        assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5)


def test_large_half_precision_inputs(rng):
    """Squares of 3000 overflow float16; the statistics must not."""
    layer = BatchNormalization(dtype="mixed_float16", momentum=0.0)
    y = layer(tf.cast(rng.normal(3000, 100, (8, 4, 4, 1)), tf.float16), training=True)
    assert y.dtype == tf.float16
    assert_allclose(np.std(y.numpy().astype(np.float32)), 1.0, rtol=0.01)
    assert_allclose(layer.moving_mean.numpy(), 3000, rtol=0.01)


@pytest.mark.parametrize("fused", [True, False])
def test_one_operation_where_it_applies(fused):
    layer = BatchNormalization(epsilon=1e-3 if fused else 1e-6)
    layer.build((None, 4, 4, 2))
    graph = tf.function(lambda x: layer(x, training=True)).get_concrete_function(tf.TensorSpec((None, 4, 4, 2))).graph
    assert ("FusedBatchNormV3" in {operation.type for operation in graph.get_operations()}) == fused


@pytest.mark.parametrize(("shape", "axis"), [((6, 2), -1), ((6, 5, 2), -1), ((3, 4, 5, 2), 1), ((2, 3, 4, 2, 2), -1)])
def test_falls_back_to_keras(rng, shape, axis):
    ours, theirs = pair(shape, axis=axis)
    x = rng.normal(size=shape).astype(np.float32)
    assert_same((ours, theirs), x, True, rtol=2e-4, atol=2e-5)


def test_masked(rng):
    ours, theirs = pair()
    x, mask = rng.normal(size=SHAPE).astype(np.float32), rng.random(SHAPE[:-1]) < 0.5
    assert_array_equal(ours(x, training=True, mask=mask), theirs(x, training=True, mask=mask))


def test_not_trainable_is_inference(rng):
    layers = pair()
    for layer in layers:
        layer.trainable = False
    x = rng.normal(size=SHAPE).astype(np.float32)
    before = layers[0].moving_mean.numpy()
    assert_allclose(*[layer(x, training=True) for layer in layers], rtol=1e-5, atol=1e-6)
    assert_array_equal(layers[0].moving_mean.numpy(), before)


def test_replicas(rng):
    """Each of two replicas normalises its part as Keras does; the moving statistics are the mean of both parts'."""
    strategy = two_replicas()
    x = tf.constant(rng.normal(size=(6, 4, 5, 2)), tf.float32)
    with strategy.scope():
        ours, theirs = pair()
    start = ours.moving_mean.numpy(), ours.moving_variance.numpy()
    parts = strategy.experimental_distribute_values_from_function(
        lambda context: x[3 * context.replica_id_in_sync_group :][:3]
    )
    outputs = [
        strategy.experimental_local_results(
            strategy.run(tf.function(lambda part, layer=layer: layer(part, training=True)), (parts,))
        )
        for layer in (ours, theirs)
    ]
    for mine, keras_own in zip(*outputs, strict=True):
        assert_allclose(mine, keras_own, rtol=1e-4, atol=1e-5)
    halves = x.numpy().reshape(2, -1, 2)
    for moving, before, measured in zip(
        (ours.moving_mean, ours.moving_variance), start, (halves.mean(1), halves.var(1)), strict=True
    ):
        expected = ours.momentum * before + (1 - ours.momentum) * measured.mean(0)
        assert_allclose(moving.numpy(), expected, rtol=1e-4, atol=1e-5)


def test_save_and_load(rng, tmp_path):
    image = keras.Input((4, 5, 2))
    model = keras.Model(image, BatchNormalization(momentum=0.7)(image))
    x = rng.normal(size=SHAPE).astype(np.float32)
    model(x, training=True)
    model.save(tmp_path / "norm.keras")
    loaded = kg.load_model(tmp_path / "norm.keras")
    assert type(loaded.layers[1]) is BatchNormalization
    assert loaded.layers[1].momentum == 0.7
    assert_array_equal(loaded(x), model(x))
