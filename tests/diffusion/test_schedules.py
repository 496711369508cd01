import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

import kmatgen as kg
from kmatgen import registry

NAMES = registry.names("noise_schedule")
TIMES = tf.constant(np.linspace(0, 1, 11), tf.float32)


@pytest.mark.parametrize("name", NAMES)
def test_variance_is_kept_and_noise_grows(name):
    schedule = registry.get("noise_schedule", name)
    alpha, sigma = schedule.alpha(TIMES).numpy(), schedule.sigma(TIMES).numpy()
    assert_allclose(alpha**2 + sigma**2, 1.0, atol=1e-6)
    assert (np.diff(alpha) < 0).all()
    assert_allclose(alpha[0], 1.0, atol=1e-4)
    assert 0 <= alpha[-1] < 0.01
    again = type(schedule).from_config(schedule.get_config())
    assert_allclose(again.alpha(TIMES), alpha)


def test_closed_forms():
    half = tf.constant(0.5)
    assert_allclose(kg.diffusion.Cosine().alpha(half), np.sqrt(0.5), rtol=1e-6)
    assert_allclose(kg.diffusion.LogSNR(6.0, -4.0).snr(half), np.exp(1.0), rtol=1e-5)
    f = [np.cos(np.pi / 2 * (t + 0.008) / 1.008) ** 2 for t in (0.5, 0.0)]
    assert_allclose(kg.diffusion.NicholCosine().alpha(half) ** 2, f[0] / f[1], rtol=1e-6)


def test_linear_is_the_limit_of_ddpm():
    kept = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    assert_allclose(kg.diffusion.Linear().alpha(tf.constant(0.5)) ** 2, kept[499], rtol=0.01)


@pytest.mark.parametrize("make", [lambda: kg.diffusion.LogSNR(-1.0, 1.0), lambda: kg.diffusion.NicholCosine(2.0),
                                  lambda: kg.diffusion.Linear(3.0, 2.0)])  # fmt: skip
def test_bad_arguments(make):
    with pytest.raises(kg.InputError, match="Received: "):
        make()


class Exploding(kg.diffusion.Cosine):
    """Keeps the sample and adds ever more noise, as other formulations of diffusion do."""

    def alpha(self, time):
        return tf.ones_like(time)

    def sigma(self, time):
        return 10.0 * time


class Backwards(kg.diffusion.Cosine):
    """Begins with noise."""

    def alpha(self, time):
        return super().sigma(time)

    def sigma(self, time):
        return super().alpha(time)


class Open(kg.diffusion.Cosine):
    """Is not defined at its end."""

    def alpha(self, time):
        return tf.math.log(time)


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (Exploding(), "Exploding with 1 to 101, alpha from 1 to 1"),
        (Backwards(), "Backwards with 1 to 1, alpha from 0 to 1"),
        (Open(), "Open with .*alpha from -inf to 0"),
    ],
)
def test_a_schedule_of_ones_own_keeps_the_variance(schedule, words):
    sample, time = keras.Input((2,), name="sample"), keras.Input((), name="time")
    denoiser = keras.Model({"sample": sample, "time": time}, keras.layers.Dense(2)(sample))
    for use in (kg.diffusion.Gaussian, lambda schedule: kg.Diffusion(denoiser, schedule=schedule)):
        with pytest.raises(kg.InputError, match=words):
            use(schedule)
