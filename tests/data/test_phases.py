import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg
from kmatgen.data.phases import gaussian_field, phase_fields


def test_two_phases_have_the_fraction_asked():
    made = phase_fields(4, 32, fractions=0.3, correlation_length=3)
    assert made.images.shape == (4, 32, 32, 1)
    assert set(np.unique(made.images)) == {0.0, 1.0}
    # 0.3 of 1024 pixels, rounded to whole pixels.
    assert_allclose(made.fractions, 307 / 1024)
    assert_allclose(made.images.mean((1, 2)), made.fractions)


def test_each_image_draws_its_fraction_from_the_range():
    fractions = phase_fields(200, 16, fractions=(0.2, 0.6), correlation_length=2).fractions[:, 0]
    assert 0.197 < fractions.min() < 0.23
    assert 0.57 < fractions.max() < 0.603
    # Uniform: mean 0.4, variance 0.4^2 / 12.
    assert_allclose(fractions.mean(), 0.4, atol=3 * 0.1155 / 200**0.5)


def test_three_phases_in_three_dimensions():
    made = phase_fields(2, 8, dimensions=3, fractions=[(0.1, 0.1), (0.25, 0.25)], correlation_length=1.5)
    assert made.images.shape == (2, 8, 8, 8, 3)
    assert_array_equal(made.images.sum(-1), 1.0)
    assert_allclose(made.fractions, [[(512 - 51 - 128) / 512, 51 / 512, 128 / 512]] * 2)
    # Every two phases touch somewhere.
    labels = made.images.argmax(-1)[0]
    pairs = {frozenset(pair) for pair in zip(labels.ravel(), np.roll(labels, 1, 0).ravel(), strict=True)}
    assert {frozenset(pair) for pair in [(0, 1), (0, 2), (1, 2)]} <= pairs


def test_two_point_correlation_is_that_of_a_levelled_gaussian_field():
    # At a fraction of 1/2: S2(r) = 1/4 + arcsin(rho(r)) / (2 pi), with the covariance rho(r) = exp(-r^2 / (2 l^2)).
    x = phase_fields(200, 64, fractions=0.5, correlation_length=4).images[..., 0]
    s2 = np.fft.irfft2(np.abs(np.fft.rfft2(x)) ** 2, s=(64, 64)).mean(0) / 64**2
    r = np.arange(16)
    expected = 0.25 + np.arcsin(np.exp(-(r**2) / 32)) / (2 * np.pi)
    # Each field is cut at its own median, which takes a little of the correlation away.
    assert_allclose(s2[0, :16], expected, atol=0.006)
    assert_allclose(s2[:16, 0], expected, atol=0.006)


def test_fields_are_periodic_and_of_unit_variance():
    fields = np.array([gaussian_field(np.random.default_rng(i), (32, 32), 3.0) for i in range(200)])
    assert_allclose(fields.var(), 1.0, atol=0.03)
    # The covariance of neighbours is the same across the border, of which there is less, and inside.
    assert_allclose((fields[:, 1:] * fields[:, :-1]).mean(), np.exp(-1 / 18), atol=0.03)
    assert_allclose((fields[:, 0] * fields[:, -1]).mean(), np.exp(-1 / 18), atol=0.15)


def test_image_i_depends_on_seed_and_i_alone():
    whole = phase_fields(4, 16, correlation_length=2, seed=5)
    assert_array_equal(whole.images[2:], phase_fields(2, 16, correlation_length=2, seed=5, first=2).images)
    assert (whole.images != phase_fields(4, 16, correlation_length=2, seed=6).images).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dimensions": 1}, "dimensions is 2 or 3. Received: 1"),
        ({"fractions": 0.0}, "above 0 and add up to less than 1. Received: 0.0"),
        ({"fractions": [(0.1, 0.6), (0.1, 0.5)]}, "add up to less than 1"),
        ({"fractions": "many"}, "fractions is a number or a pair"),
        ({"correlation_length": 9}, "a quarter of the size, 4 pixels. Received: 9"),
        ({"correlation_length": 0.5}, "at least 1"),
        ({"n": -1}, "n is a whole number of at least 0. Received: -1"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(kg.InputError, match=message):
        phase_fields(**{"n": 1, "size": 16, "correlation_length": 2, **options})
