import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen.errors import InputError
from kmatgen.metrics.crystal_baselines import resampled, shuffled_species

from .crystals import cubic, perovskites

SPECIES = [[38, 22, 8, 8, 8], [20, 40, 8, 8, 7], [56, 72, 7, 7, 8], [12, 25, 9, 9, 9]]


def test_cations_are_shuffled_within_their_role():
    table = perovskites([3.9, 4.0, 4.1, 4.2], SPECIES)
    made = shuffled_species(table, seed=1)
    lengths = made.lattice[:, 0]
    order = np.argsort(lengths)
    assert_allclose(lengths[order], [3.9, 4.0, 4.1, 4.2])  # geometry and anions stay together
    assert_array_equal(made.species[order][:, 2:], table.species[:, 2:])
    for site in (0, 1):
        assert_array_equal(np.sort(made.species[:, site]), np.sort(table.species[:, site]))
    assert (made.species[order][:, :2] != table.species[:, :2]).any()
    assert_array_equal(shuffled_species(table, seed=1).species, made.species)


def test_all_atoms_of_an_element_change_together():
    anti = cubic([4.0, 4.0], [[11, 11, 8], [19, 19, 16]], [[0, 0, 0], [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]])
    made = shuffled_species(anti, n=40, seed=0)
    assert {tuple(row) for row in made.species.tolist()} == {(11, 11, 8), (19, 19, 8), (11, 11, 16), (19, 19, 16)}


def test_elements_stay_as_they_are():
    carbon = cubic([3.5, 3.6], [[6, 6]] * 2, [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert_array_equal(shuffled_species(carbon).species, carbon.species)


def test_each_crystal_comes_once_before_one_comes_twice():
    table = perovskites([3.9, 4.0, 4.1, 4.2], SPECIES)
    lengths = resampled(table, 10, seed=2).lattice[:, 0]
    counts = np.unique(lengths, return_counts=True)[1]
    assert_array_equal(np.sort(counts), [2, 2, 3, 3])
    for none in (lambda: resampled(table[:0]), lambda: shuffled_species(table, n=0)):
        with pytest.raises(InputError, match=r"Received: 0 of \d\.$"):
            none()
