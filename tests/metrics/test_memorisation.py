import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist

from kmatgen import InputError
from kmatgen.metrics import nearest_training


def test_distances_and_closest_pairs(rng):
    training, held_out, generated = (rng.normal(size=(n, 4)) for n in (80, 50, 60))
    found = nearest_training(training, held_out, generated, pairs=5)
    distances = cdist(generated, training)
    assert_allclose(found.generated, distances.min(axis=1))
    assert_allclose(found.held_out, cdist(held_out, training).min(axis=1))
    assert_allclose(found.threshold, found.held_out.min())
    order = np.argsort(distances.min(axis=1))[:5]
    assert_array_equal(found.pairs, np.stack([order, distances.argmin(axis=1)[order]], axis=1))


def test_new_samples_pass_and_remembered_ones_do_not(rng):
    training, held_out, generated = (rng.normal(size=(n, 6)) for n in (400, 1000, 1000))
    new = nearest_training(training, held_out, generated)
    assert new.passed
    assert new.share_below < 0.02
    assert 0.02 < new.share_allowed < 0.025
    near = generated.copy()
    near[:100] = training[:100] + 0.01 * rng.normal(size=(100, 6))
    remembered = nearest_training(training, held_out, near)
    assert not remembered.passed
    assert 0.1 <= remembered.share_below < 0.12
    assert remembered.copies == 100
    assert set(remembered.pairs[:, 0]) <= set(range(100))
    assert_array_equal(remembered.pairs[:, 0], remembered.pairs[:, 1])


def test_allows_what_chance_does(rng):
    """Of 80 numbers below the 5th smallest of 50 others from the same distribution, 1 % of the time there are more."""
    x = rng.normal(size=(80, 2))
    allowed = nearest_training(x[:10], x[:50], x, quantile=0.1).share_allowed * 80
    threshold = np.sort(rng.random((20_000, 50)), axis=1)[:, 4:5]
    counts = (rng.random((20_000, 80)) < threshold).sum(axis=1)
    assert np.mean(counts > allowed) <= 0.012 < np.mean(counts > allowed - 1) + 0.004


def test_few_near_copies_do_not_pass(rng):
    """Where so few held-out samples are there that the share below the threshold says nothing."""
    training, held_out, generated = (rng.normal(size=(n, 12)) for n in (200, 60, 60))
    assert nearest_training(training, held_out, generated).passed
    generated[:2] = training[:2] + 0.1 * rng.normal(size=(2, 12))
    found = nearest_training(training, held_out, generated)
    assert found.share_below <= found.share_allowed
    assert found.copies == 2
    assert not found.passed


def test_a_single_copy_does_not_pass(rng):
    training, held_out, generated = (rng.normal(size=(n, 6)) for n in (400, 1000, 1000))
    generated[7] = training[3] * (1 + 1e-9)
    found = nearest_training(training, held_out, generated)
    assert found.copies == 1
    assert not found.passed
    assert_array_equal(found.pairs[0], [7, 3])


def test_refuses(rng):
    x = rng.normal(size=(30, 3))
    with pytest.raises(InputError, match="held_out must hold at least 20 samples. Received: 19"):
        nearest_training(x, x[:19], x)
    with pytest.raises(InputError, match=r"same features. Received: \[2, 3\]"):
        nearest_training(x, x, x[:, :2])
    with pytest.raises(InputError, match="quantile must be above 0"):
        nearest_training(x, x, x, quantile=0.0)
