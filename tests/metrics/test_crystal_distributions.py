import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import wasserstein_distance

from kmatgen.errors import InputError
from kmatgen.metrics.crystal_distributions import (
    density_distance,
    element_number_distance,
    element_shares,
    mean_distance,
    space_group_shares,
    space_groups,
    total_variation,
)

from .crystals import broken, cubic, perovskites


def test_density_by_hand():
    # One u per cubic Angstrom is 1.66053906660 g / cm^3; sodium, 22.98977 u.
    light, dense = cubic(4.0, [11], [[0, 0, 0]]), cubic(2.0, [11], [[0, 0, 0]])
    expected = 22.98977 * 1.66053906660 * (1 / 8 - 1 / 64)
    assert_allclose(density_distance(light, dense), expected, rtol=1e-6)


def test_number_of_elements():
    generated = perovskites([4.0] * 2, [[38, 22, 8, 8, 8], [38, 22, 8, 8, 7]])
    reference = perovskites([4.0] * 2, [[38, 38, 8, 8, 8], [38, 22, 8, 8, 8]])
    assert_allclose(element_number_distance(generated, reference), 1.0)  # {3, 4} against {2, 3}


def test_distance_of_draws_is_their_mean(rng):
    generated, reference = rng.normal(size=200), rng.normal(size=300)
    everything = mean_distance(generated, reference, samples=None)
    assert_allclose(everything, wasserstein_distance(generated, reference))
    drawn = mean_distance(generated, reference, samples=20, draws=50)
    assert drawn > everything
    assert drawn == mean_distance(generated, reference, samples=20, draws=50)
    assert_allclose(mean_distance([1, np.nan], [3.0]), 2.0)
    assert np.isnan(mean_distance([np.nan], [3.0]))


def test_shares_of_elements():
    shares = element_shares(perovskites([4.0] * 2, [[38, 22, 8, 8, 8], [38, 22, 8, 8, 7]]))
    assert_allclose(shares[[7, 8, 22, 38]], [0.1, 0.5, 0.2, 0.2])
    assert_allclose(total_variation(shares, shares), 0)
    assert_allclose(total_variation([1, 0], [0.25, 0.75]), 0.75)
    with pytest.raises(InputError, match="same classes"):
        total_variation([1, 0], [1, 0, 0])


def test_space_groups_of_textbook_crystals():
    table = perovskites([3.9] * 2, [[38, 22, 8, 8, 8]] * 2)
    table.lattice[1, 2] = 4.5  # stretched along c
    assert_array_equal(space_groups(broken(table)), [221, 123, 0, 0, 0, 0])
    table.coords[0, 0] += 0.003
    assert space_groups(table)[0] == 221
    assert space_groups(table, tolerance=1e-3)[0] != 221
    assert_allclose(space_group_shares(np.array([221, 221, 0, 123]))[[0, 123, 221]], [0.25, 0.25, 0.5])
