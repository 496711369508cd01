import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg
from kmatgen.layers import PeriodicPadding


@pytest.mark.parametrize(
    ("shape", "padding"),
    [
        ((5,), 1),
        ((5,), [[0, 2]]),
        ((4, 6), 2),
        ((4, 6), [1, 3]),
        ((4, 6), [[0, 1], [2, 0]]),
        ((4, 6), 0),
        ((3, 2), [[4, 3], [5, 2]]),
        ((2, 3, 4), 1),
        ((2, 3, 4), [[1, 0], 2, [0, 9]]),
    ],
)
def test_same_as_numpy(rng, shape, padding):
    x = rng.normal(size=(2, *shape, 3)).astype(np.float32)
    layer = PeriodicPadding(padding)
    sides = [padding] * len(shape) if isinstance(padding, int) else padding
    pairs = [(side, side) if isinstance(side, int) else side for side in sides]
    expected = np.pad(x, [(0, 0), *pairs, (0, 0)], mode="wrap")
    assert_array_equal(layer(x), expected)
    assert layer.compute_output_shape((None, *shape, 3)) == (None, *expected.shape[1:])
    assert tuple(layer(keras.Input((*shape, 3))).shape) == (None, *expected.shape[1:])


def test_convolution_commutes_with_shifts(rng):
    x = rng.normal(size=(1, 4, 8, 2)).astype(np.float32)
    stack = keras.Sequential([PeriodicPadding(1), keras.layers.Conv2D(3, 3, activation="tanh")])
    shifted = stack(np.roll(x, (1, 3), (1, 2)))
    assert_allclose(shifted, np.roll(stack(x), (1, 3), (1, 2)), atol=1e-6)


def test_second_derivatives(rng):
    """Of sum(pad(x)^3): 6 x for each time that x appears."""
    x = tf.constant(rng.normal(size=(1, 4, 4, 1)), tf.float32)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            total = tf.reduce_sum(PeriodicPadding([[1, 0], [0, 5]])(x) ** 3)
        first = inner.gradient(total, x)
    times = np.outer([1, 1, 1, 2], [3, 2, 2, 2])[None, :, :, None]
    assert_allclose(first, 3 * times * x**2, rtol=1e-5)
    assert_allclose(outer.gradient(first, x), 6 * times * x, rtol=1e-5)


def test_save_and_load(rng, tmp_path):
    image = keras.Input((4, 4, 1))
    model = keras.Model(image, PeriodicPadding([1, [0, 2]])(image))
    model.save(tmp_path / "pad.keras")
    loaded = kg.load_model(tmp_path / "pad.keras")
    assert loaded.layers[1].padding == [[1, 1], [0, 2]]
    x = rng.normal(size=(2, 4, 4, 1)).astype(np.float32)
    assert_array_equal(loaded(x), model(x))


@pytest.mark.parametrize("padding", [-1, [[1, -2]], [[1, 2, 3]], [1.5], []])
def test_bad_padding(padding):
    with pytest.raises(kg.InputError, match=r"whole numbers.*Received: "):
        PeriodicPadding(padding)


@pytest.mark.parametrize(("shape", "padding"), [((5,), 1), ((None, 4, 1), 1), ((4, 4, 1), [1])])
def test_bad_inputs(shape, padding):
    with pytest.raises(kg.InputError, match="Received: "):
        PeriodicPadding(padding)(keras.Input(shape))
