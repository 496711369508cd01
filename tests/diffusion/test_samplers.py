import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg
from kmatgen import registry
from kmatgen.diffusion import Gaussian
from kmatgen.diffusion.samplers import reverse, row_noise

MEAN, SPREAD = 1.5, 0.5


def sample_normal(gaussian, eta, steps, n=4000):
    """Samples of N(MEAN, SPREAD^2) by the best possible denoiser, which is linear."""
    row_seeds = tf.stack([tf.zeros(n, tf.int32), tf.range(n)], axis=1)

    def step(fields, time, to, index):
        alpha, sigma = gaussian.schedule.alpha(time), gaussian.schedule.sigma(time)
        gain = alpha * SPREAD**2 / (alpha**2 * SPREAD**2 + sigma**2)
        clean = MEAN + gain * (fields["x"] - alpha * MEAN)
        noise = (fields["x"] - alpha * clean) / sigma
        prediction = gaussian.target_of(clean, noise, time)
        fresh = row_noise(row_seeds, index, (1,)) if eta else tf.zeros((n, 1))
        return {"x": gaussian.step(fields["x"], prediction, time, to, eta, fresh)}

    start = {"x": gaussian.draw([n, 1], tf.constant([5, 6]))}
    return tf.function(lambda: reverse(step, start, tf.constant(steps), tf.constant(1.0)))()["x"].numpy()


@pytest.mark.parametrize("schedule", registry.names("noise_schedule"))
@pytest.mark.parametrize("sampler", ["ddim", "ancestral"])
def test_samplers_reach_the_distribution(sampler, schedule):
    found = sample_normal(Gaussian(schedule), registry.get("sampler", sampler).eta, 100)
    assert_allclose([found.mean(), found.std()], [MEAN, SPREAD], atol=0.05)


def test_more_steps_are_nearer():
    errors = [abs(sample_normal(Gaussian(), 0.0, steps).std() - SPREAD) for steps in (2, 8, 64)]
    assert errors[0] > errors[1] > errors[2]


def test_row_noise_depends_on_the_row_alone():
    seeds = tf.stack([tf.fill([150], 3), tf.range(150)], axis=1)
    noise = row_noise(seeds, tf.constant(7), (4,)).numpy()
    for rows in (slice(1, 3), slice(60, 130), slice(128, 150)):
        assert_array_equal(row_noise(seeds[rows], tf.constant(7), (4,)), noise[rows])
    assert np.abs(noise - row_noise(seeds, tf.constant(8), (4,))).min() > 1e-5
    assert_allclose([noise.mean(), noise.std()], [0, 1], atol=0.1)
    assert np.abs(np.corrcoef(noise[:64].ravel(), noise[64:128].ravel())[0, 1]) < 0.2


def test_ddim_refuses():
    with pytest.raises(kg.InputError, match="Received: 2"):
        kg.diffusion.DDIM(2)
