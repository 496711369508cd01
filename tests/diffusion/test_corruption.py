import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose
from scipy.optimize import linear_sum_assignment

import kmatgen as kg
from kmatgen.diffusion import Gaussian, Periodic
from kmatgen.diffusion.corruption import nearest_pairs


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
    assert_allclose(
        periodic.step(noise, velocity, tf.constant(1.0), tf.constant(0.0), 0.0, tf.zeros(2)), clean, atol=1e-6
    )
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


def test_pairs_are_permutations_and_near(rng):
    places = rng.random((20, 2, 8, 3)).astype("float32")
    costs = np.square(places[:, 0, :, None] - places[:, 1, None]).sum(-1)
    there = np.ones((20, 8), np.float32)
    there[:10, 5:] = 0
    columns = nearest_pairs(costs, there).numpy()
    assert_allclose(np.sort(columns, axis=1), np.tile(np.arange(8), (20, 1)))
    assert_allclose(columns[:10, 5:] >= 5, np.ones((10, 3)))
    best = [cost[linear_sum_assignment(cost)].sum() for cost in costs[10:]]
    found = np.take_along_axis(costs, columns[..., None], axis=2)[10:].sum((1, 2))
    assert np.all(found >= np.array(best) - 1e-5)
    assert found.mean() < 1.6 * np.mean(best)
    assert found.mean() < 0.6 * costs[10:].mean(2).sum(1).mean()


def test_interchangeable_places_take_near_noise_about_the_same_centre(rng):
    periodic = Periodic(period=2.0, start=-1.0, interchangeable=True)
    clean, noise = (tf.constant(rng.uniform(-1, 1, (4, 6, 3)), tf.float32) for _ in range(2))
    there = np.ones((4, 6), np.float32)
    there[0, 4:] = 0
    coupled = periodic.couple(clean, noise, tf.constant(there)).numpy()
    squares = np.square(periodic.shortest(noise[:, None] - clean[:, :, None])).sum(-1)
    paired = np.take_along_axis(noise.numpy(), nearest_pairs(squares, there).numpy()[..., None], axis=1)
    for moved, place, count in zip(coupled, paired, (4, 6, 6, 6), strict=True):
        shift = moved[:count] - place[:count]
        assert_allclose(periodic.shortest(tf.constant(shift - shift[0])), np.zeros((count, 3)), atol=1e-5)
    difference = periodic.shortest(coupled - clean).numpy() * there[..., None]
    assert_allclose(difference.sum(axis=1), np.zeros((4, 3)), atol=1e-5)
    assert np.square(difference).mean() < 0.7 * np.square(periodic.shortest(noise - clean)).mean()
    assert_allclose(Periodic(2.0, -1.0).couple(clean, noise, tf.constant(there)), noise)


def test_places_that_are_not_known_take_what_the_others_leave(rng):
    periodic = Periodic(interchangeable=True)
    clean, noise = (rng.random((5, 6, 3)).astype(np.float32) for _ in range(2))
    clean[:, 2:] = np.nan
    coupled = periodic.couple(tf.constant(clean), tf.constant(noise), None).numpy()
    difference = periodic.shortest(tf.constant(coupled - clean)).numpy()[:, :2]
    assert_allclose(difference.sum(axis=1), np.zeros((5, 3)), atol=1e-5)
    pairs = np.square(periodic.shortest(noise[:, None] - clean[:, :2, None])).sum(-1)
    for crystal, moved in enumerate(coupled):
        # The noise, moved as a whole and in another order, whose first place is that of the cheapest pair.
        row, column = np.unravel_index(pairs[crystal].argmin(), (2, 6))
        shifts = moved[:, None] - noise[crystal]
        same = np.abs(periodic.shortest(shifts - shifts[row, column])).max(-1) < 1e-5
        assert_allclose(same.sum(axis=0), np.ones(6))
    nothing = periodic.couple(tf.fill((5, 6, 3), np.nan), tf.constant(noise), None).numpy()
    assert_allclose(np.sort(nothing, axis=1), np.sort(noise, axis=1), atol=1e-6)


def test_pull_goes_a_share_of_the_way_to_what_is_seen():
    periodic = Periodic(pull=0.25)
    clean, noise = tf.constant([0.2]), tf.constant([0.4])
    velocity = periodic.target_of(clean, noise, None)
    # A share of 1/4 where a step of time is less, the step where it is more, all of the way at the end.
    for time, to, expected in ((1.0, 0.9, 0.35), (1.0, 0.5, 0.3), (0.1, 0.0, 0.38)):
        found = periodic.step(noise, velocity, tf.constant(time), tf.constant(to), 0.0, tf.ones(1))
        assert_allclose(found, [expected], atol=1e-6)


def test_jitter_shrinks_with_the_time():
    periodic, fresh = Periodic(period=2.0, start=-1.0, jitter=0.1), tf.constant([0.5, -1.5])
    for to in (0.8, 0.1, 0.0):
        found = periodic.step(tf.zeros(2), tf.zeros(2), tf.constant(1.0), tf.constant(to), 0.5, fresh)
        assert_allclose(found, 0.5 * 0.1 * 2 * to * fresh, atol=1e-6)


@pytest.mark.parametrize(
    "make",
    [lambda: Gaussian(target="speed"), lambda: Gaussian(limits=(1, 1)), lambda: Gaussian("quadratic"),
     lambda: Periodic(0.0), lambda: Periodic(pull=1.0), lambda: Periodic(jitter=-1.0)],
)  # fmt: skip
def test_bad_arguments(make):
    with pytest.raises(kg.InputError, match="Received: "):
        make()
