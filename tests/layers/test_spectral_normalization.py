import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg
from kmatgen.layers import SpectralNormalization, update_spectral_norms
from tests.tiny_models import two_replicas

LAYERS = {
    "dense": (lambda: layers.Dense(7, activation="tanh"), (4, 5)),
    "conv1d": (lambda: layers.Conv1D(7, 3, padding="same"), (2, 8, 3)),
    "conv2d": (lambda: layers.Conv2D(7, 3, strides=2), (2, 8, 8, 3)),
    "conv3d": (lambda: layers.Conv3D(7, 2), (2, 4, 4, 4, 3)),
    "conv1d_transpose": (lambda: layers.Conv1DTranspose(7, 4, strides=2), (2, 4, 3)),
    "conv2d_transpose": (lambda: layers.Conv2DTranspose(7, 3), (2, 4, 4, 3)),
    "conv3d_transpose": (lambda: layers.Conv3DTranspose(7, 2), (2, 3, 3, 3, 2)),
}


def matrix_of(layer):
    """The kernel as outputs by everything else, independently of the layer's own code."""
    kernel = layer.layer.kernel.numpy()
    if "Transpose" in type(layer.layer).__name__:
        kernel = np.moveaxis(kernel, -2, -1)
    return kernel.reshape(-1, kernel.shape[-1]).T


def made(name, **options):
    make, shape = LAYERS[name]
    layer = SpectralNormalization(make(), **options)
    layer.build(shape)
    bias = np.random.default_rng(2).normal(size=layer.layer.bias.shape)
    layer.layer.bias.assign(bias)
    return layer, np.random.default_rng(3).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("name", LAYERS)
def test_kernel_divided_by_largest_singular_value(name):
    layer, x = made(name)
    left, values, _ = np.linalg.svd(matrix_of(layer))
    layer.u.assign(left[:, 0])
    largest = values[0]
    assert_allclose(layer.sigma(), largest, rtol=1e-4)
    before = layer.get_weights()
    y = layer(x, training=True)
    for one, other in zip(layer.get_weights(), before, strict=True):
        assert_array_equal(one, other)
    layer.layer.kernel.assign(layer.layer.kernel / largest)
    assert_allclose(y, layer.layer(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
def test_starts_near_the_true_value(name):
    layer, _ = made(name)
    assert_allclose(layer.sigma(), np.linalg.svd(matrix_of(layer), compute_uv=False)[0], rtol=0.05)


def test_one_update_is_one_iteration(rng):
    layer, _ = made("dense", power_iterations=2)
    w, u = matrix_of(layer), rng.normal(size=7)
    u /= np.linalg.norm(u)
    layer.u.assign(u)
    assert_allclose(layer.sigma(), np.linalg.norm(w.T @ u), rtol=1e-5)
    for _ in range(2):
        v = w.T @ u / np.linalg.norm(w.T @ u)
        u = w @ v / np.linalg.norm(w @ v)
    layer.update()
    assert_allclose(layer.u.numpy(), u, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["dense", "conv2d", "conv2d_transpose"])
def test_gradient_against_finite_differences(name):
    """u is a constant of the derivative; the estimate of sigma is |W^T u| and v follows from it."""
    layer, x = made(name)
    kernel, direction = layer.layer.kernel, np.random.default_rng(4).normal(size=layer.layer.kernel.shape)

    def loss():
        return tf.reduce_sum(tf.sin(2.0 * layer(x, training=True)))

    with tf.GradientTape() as tape:
        value = loss()
    gradient = tape.gradient(value, kernel.value)
    start, step = kernel.numpy(), 1e-3
    ends = []
    for sign in (1, -1):
        kernel.assign(start + sign * step * direction)
        ends.append(float(loss()))
    assert_allclose(np.sum(gradient * direction), (ends[0] - ends[1]) / (2 * step), rtol=0.01)
    # The function does not change with the kernel's length, so neither along the kernel is there a slope.
    assert abs(np.sum(gradient * start)) < 1e-3 * np.linalg.norm(gradient) * np.linalg.norm(start)


def test_calls_agree_within_a_step():
    """D(real), D(fake) and the penalty see the same weights: nothing moves but by update (trap 11)."""
    layer, x = made("conv2d")
    layer.u.assign(np.ones(7) / np.sqrt(7))
    calls = [layer(x, training=training).numpy() for training in (True, True, False)]
    assert_array_equal(calls[0], calls[1])
    assert_array_equal(calls[0], calls[2])
    before = calls[0]
    layer.update()
    assert np.abs(layer(x, training=True) - before).max() > 1e-3


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision(policy):
    exact, x = made("conv2d")
    keras.config.set_dtype_policy(policy)
    layer, _ = made("conv2d")
    layer.set_weights(exact.get_weights())
    y = layer(x)
    assert y.dtype == policy.removeprefix("mixed_")
    assert_allclose(tf.cast(y, tf.float32), exact(x), atol=0.03)
    # Sigma comes from the float32 kernel also where an outer layer computes in half precision.
    seen = []

    class Outer(keras.layers.Layer):
        def call(self, inputs):
            seen.append(layer.layer.kernel.dtype)
            y = layer(inputs)
            return y

    assert Outer()(x).dtype == y.dtype
    assert_array_equal(layer.sigma(), exact.sigma())
    assert {weight.dtype for weight in layer.weights} == {"float32"}


def test_float32_layer_in_a_half_precision_network():
    keras.config.set_dtype_policy("mixed_float16")
    layer = SpectralNormalization(layers.Dense(1, dtype="float32"))
    assert layer(tf.ones((2, 3), tf.float16)).dtype == tf.float32
    assert layer(keras.Input((3,))).dtype == "float32"


def test_embedding():
    layer = SpectralNormalization(layers.Embedding(5, 3))
    rows = layer(np.arange(5))
    table = layer.layer.embeddings.numpy()
    assert_allclose(rows, table / np.linalg.svd(table, compute_uv=False)[0], rtol=1e-2, atol=1e-5)


def test_zero_kernel_stays():
    layer = SpectralNormalization(layers.Dense(3, kernel_initializer="zeros"))
    with tf.GradientTape() as tape:
        y = layer(np.ones((2, 4), np.float32))
    layer.update()
    assert_array_equal(y, np.zeros((2, 3)))
    assert_array_equal(tape.gradient(y, layer.layer.kernel.value), np.full((4, 3), 2.0))
    assert_allclose(np.linalg.norm(layer.u.numpy()), 1.0, rtol=1e-5)


def test_update_finds_nested_layers_once(rng):
    inner_in = keras.Input((4,))
    shared = SpectralNormalization(layers.Dense(4))
    inner = keras.Model(inner_in, shared(shared(inner_in)))
    outer_in = keras.Input((4,))
    last = SpectralNormalization(layers.Dense(2))
    network = keras.Model(outer_in, last(keras.Sequential([inner, shared])(outer_in)))
    expected = []
    for layer in (shared, last):
        w, u = matrix_of(layer), rng.normal(size=layer.u.shape)
        layer.u.assign(u / np.linalg.norm(u))
        new = w @ (w.T @ u)
        expected.append(new / np.linalg.norm(new))
    update_spectral_norms(network)
    for layer, u in zip((shared, last), expected, strict=True):
        assert_allclose(layer.u.numpy(), u, rtol=1e-4, atol=1e-6)


def test_traced_update_and_call(rng):
    layer, x = made("dense")
    layer.u.assign(np.ones(7) / np.sqrt(7))

    @tf.function
    def step(x):
        update_spectral_norms(layer)
        with tf.GradientTape() as tape:
            y = layer(x, training=True)
        return y, tape.gradient(y, layer.layer.kernel.value)

    for _ in range(100):
        y, gradient = step(x)
    assert_allclose(layer.sigma(), np.linalg.svd(matrix_of(layer), compute_uv=False)[0], rtol=1e-4)
    assert_allclose(y, layer(x), rtol=1e-5, atol=1e-6)
    assert float(tf.norm(gradient)) > 0.1


def test_replicas_stay_equal():
    strategy = two_replicas()
    with strategy.scope():
        layer, x = made("dense")
        layer.u.assign(np.ones(7) / np.sqrt(7))
    alone, _ = made("dense")
    alone.set_weights(layer.get_weights())
    alone.update()

    @tf.function
    def step():
        layer.update()
        return layer(x, training=True), tf.identity(layer.u.value)

    outputs, vectors = strategy.run(step)
    for output in strategy.experimental_local_results(outputs):
        assert_allclose(output, alone(x), rtol=1e-5, atol=1e-6)
    for u in strategy.experimental_local_results(vectors):
        assert_allclose(u, alone.u.numpy(), rtol=1e-5)


def test_save_and_load(rng, tmp_path):
    image = keras.Input((8, 8, 3))
    x = SpectralNormalization(layers.Conv2D(4, 3), power_iterations=3, name="wrapped")(image)
    model = keras.Model(image, SpectralNormalization(layers.Dense(2))(layers.Flatten()(x)))
    wrapped = model.get_layer("wrapped")
    wrapped.u.assign(rng.normal(size=4))
    assert len(model.trainable_weights) == 4
    assert len(model.non_trainable_weights) == 2
    model.save(tmp_path / "sn.keras")
    loaded = kg.load_model(tmp_path / "sn.keras")
    assert loaded.get_layer("wrapped").power_iterations == 3
    assert_array_equal(loaded.get_layer("wrapped").u.numpy(), wrapped.u.numpy())
    sample = rng.normal(size=(2, 8, 8, 3)).astype(np.float32)
    assert_array_equal(loaded(sample), model(sample))


@pytest.mark.parametrize("layer", [layers.ReLU(), layers.DepthwiseConv2D(3), layers.BatchNormalization()])
def test_layers_without_one_kernel_are_refused(layer):
    with pytest.raises(kg.InputError, match=r"wraps one of Dense, .*Received: "):
        SpectralNormalization(layer)


def test_bad_iterations():
    with pytest.raises(kg.InputError, match="power_iterations.*Received: 0"):
        SpectralNormalization(layers.Dense(2), power_iterations=0)
