import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

import kmatgen as kg
from kmatgen.models import elbo

SIGMOID = keras.activations.sigmoid


def test_binary_crossentropy_by_hand():
    data, logits = tf.constant([[1.0, 0.0, 0.5]]), tf.constant([[0.0, 2.0, -1.0]])
    p = 1 / (1 + np.exp(-np.array([0.0, 2.0, -1.0])))
    expected = -np.mean([np.log(p[0]), np.log(1 - p[1]), 0.5 * np.log(p[2]) + 0.5 * np.log(1 - p[2])])
    assert_allclose(np.mean(elbo.binary_crossentropy(data, logits, SIGMOID)), expected, rtol=1e-6)


def test_binary_crossentropy_is_finite_for_large_logits():
    value = elbo.binary_crossentropy(tf.constant([0.0, 1.0]), tf.constant([1e4, -1e4]), SIGMOID)
    assert_allclose(value, [1e4, 1e4])


@pytest.mark.parametrize("data", [[1.5, 0.5], [-0.5, 0.5], [np.nan, 0.5]])
def test_binary_crossentropy_refuses_other_ranges(data):
    with pytest.raises(kg.InputError, match=r"data from 0 to 1.*Received: "):
        elbo.binary_crossentropy(tf.constant(data), tf.zeros(2), SIGMOID)


def test_mean_squared_error_by_hand():
    value = elbo.squared_error(tf.constant([1.0, 0.0]), tf.constant([0.0, 0.0]), SIGMOID)
    assert_allclose(value, [0.25, 0.25])


@pytest.mark.parametrize(("reduction", "factor"), [("mean", 0.5), ("sum", 1.0), ("per_value", 0.1)])
def test_kl_divergence_by_hand(reduction, factor):
    mean, log_var = tf.constant([[1.0, 0.0]]), tf.constant([[0.0, np.log(4.0)]], tf.float32)
    # N(1, 1): 1/2; N(0, 4): (4 - 1 - log 4) / 2
    expected = factor * (0.5 + 0.5 * (3 - np.log(4.0)))
    assert_allclose(elbo.kl_divergence(mean, log_var, reduction, values=10), expected, rtol=1e-6)


def test_kl_divergence_against_sampling(rng):
    mean, log_var = 0.7, -0.5
    x = mean + np.exp(0.5 * log_var) * rng.standard_normal(400_000)
    log_ratio = 0.5 * (x**2 - (x - mean) ** 2 / np.exp(log_var) - log_var)
    value = elbo.kl_divergence(tf.constant([[mean]]), tf.constant([[log_var]]))
    assert_allclose(value, log_ratio.mean(), rtol=0.01)


def test_names():
    assert elbo.get_reconstruction("mean_squared_error", keras.activations.linear) is elbo.squared_error
    with pytest.raises(kg.InputError, match="Received: 'mse'"):
        elbo.get_reconstruction("mse", SIGMOID)
    with pytest.raises(kg.InputError, match="Received: output_activation='linear'"):
        elbo.get_reconstruction("binary_crossentropy", keras.activations.linear)
