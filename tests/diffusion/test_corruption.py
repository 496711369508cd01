import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

import kmatgen as kg
from kmatgen.diffusion import Gaussian, Periodic


@pytest.mark.parametrize("target", ["velocity", "noise", "sample"])
@pytest.mark.parametrize("schedule", ["cosine", "linear", "log_snr"])
def test_a_perfect_prediction_leads_along_the_path(schedule, target, rng):
    gaussian = Gaussian(schedule, target)
    clean, noise = tf.constant(rng.normal(size=(2, 4, 3)), tf.float32)
    time, to = tf.constant(0.7), tf.constant(0.3)
    noisy, prediction = gaussian.corrupt(clean, noise, time), gaussian.target_of(clean, noise, time)
    zero = tf.zeros_like(clean)
    assert_allclose(
        gaussian.step(noisy, prediction, time, to, 0.0, zero), gaussian.corrupt(clean, noise, to), atol=2e-5
    )
    assert_allclose(gaussian.step(noisy, prediction, time, 0.0, 0.0, zero), clean, atol=2e-5)


def test_ancestral_step_is_the_posterior_of_ddpm():
    """Equation 7 of Ho et al. 2020 in terms of the clean sample, computed independently."""
    gaussian, time, to = Gaussian("cosine", "sample"), 0.6, 0.5
    kept, before = np.cos(np.pi * time / 2) ** 2, np.cos(np.pi * to / 2) ** 2
    beta = 1 - kept / before
    mean = np.sqrt(before) * beta / (1 - kept) * 0.3 + np.sqrt(1 - beta) * (1 - before) / (1 - kept) * 0.9
    spread = np.sqrt((1 - before) / (1 - kept) * beta)
    found = gaussian.step(*(tf.constant(x, tf.float32) for x in (0.9, 0.3, time, to, 1.0, 1.7)))
    assert_allclose(found, mean + 1.7 * spread, rtol=1e-5)


def test_limits_clip_estimates():
    gaussian = Gaussian("cosine", "sample", limits=(-1, 1))
    assert_allclose(gaussian.clean_of(tf.constant([-3.0, 0.5, 2.0]), None, tf.constant(0.5)), [-1, 0.5, 1])


def test_periodic_takes_the_shorter_way():
    periodic = Periodic()
    clean, noise, time = tf.constant([0.9, 0.1]), tf.constant([0.1, 0.9]), tf.constant(0.5)
    assert_allclose(periodic.shortest(periodic.corrupt(clean, noise, time)), [0.0, 0.0], atol=1e-6)
    velocity = periodic.target_of(clean, noise, time)
    assert_allclose(velocity, np.sqrt(12) * np.array([0.2, -0.2]), rtol=1e-5)
    assert_allclose(periodic.step(noise, velocity, tf.constant(1.0), tf.constant(0.0), 0.0, None), clean, atol=1e-6)
    assert_allclose(periodic.clean_of(velocity, noise, tf.constant(1.0)), clean, atol=1e-6)


def test_periodic_is_the_same_everywhere(rng):
    periodic = Periodic(period=2.0, start=-1.0)
    clean, noise = tf.constant(rng.uniform(-1, 1, (2, 100)), tf.float32)
    time, shift = tf.constant(0.4), 0.7
    moved = periodic.corrupt(periodic.wrap(clean + shift), periodic.wrap(noise + shift), time)
    difference = periodic.shortest(moved - periodic.corrupt(clean, noise, time) - shift)
    assert_allclose(difference, np.zeros(100), atol=1e-5)
    assert float(tf.reduce_min(moved)) >= -1
    assert float(tf.reduce_max(moved)) < 1


def test_uniform_velocity_has_unit_variance():
    periodic = Periodic(period=3.0)
    noise = periodic.draw([20000], tf.constant([1, 2]))
    assert_allclose(np.std(periodic.target_of(tf.zeros(20000), noise, None)), 1.0, atol=0.02)


@pytest.mark.parametrize(
    "make",
    [lambda: Gaussian(target="speed"), lambda: Gaussian(limits=(1, 1)), lambda: Periodic(0.0),
     lambda: Gaussian("quadratic")],
)  # fmt: skip
def test_bad_arguments(make):
    with pytest.raises(kg.InputError, match="Received: "):
        make()
