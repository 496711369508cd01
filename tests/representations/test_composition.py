import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen.errors import InputError
from kmatgen.representations import Composition, CrystalTable
from tests.representations.crystals import triclinic


def test_matrix_by_hand():
    table = CrystalTable([[4, 4, 4, 90, 90, 90]] * 2, [[22, 8, 8], [22, 22, 0]], np.zeros((2, 3, 3)), [1, 1])
    matrix = Composition().fit(table).encode(table)
    assert_array_equal(matrix, [[[0, 0, 1], [0, 1, 0]], [[1, 0, 0], [0, 0, 1]]])


def test_keeps_the_atoms_of_each_element():
    table = triclinic(20)
    representation = Composition().fit(table)
    decoded = representation.decode(representation.encode(table)).table
    assert_array_equal(np.sort(decoded.species), np.sort(table.species))
    assert_allclose((decoded.volume / decoded.n_sites), np.mean(table.volume / table.n_sites))


def test_more_atoms_than_any_training_crystal_has(rng):
    representation = Composition().fit(triclinic(20))
    noise = rng.random((5, *representation.shapes))
    decoded = representation.decode(noise).table
    counts = (decoded.species[..., None] == representation.ranges["elements"]).sum(axis=1)
    assert_array_equal(counts, noise.argmax(axis=-1))


def test_what_the_user_can_mend():
    representation = Composition(sites=30).fit(triclinic())
    with pytest.raises(InputError, match="with 30"):
        representation.encode(CrystalTable([[9.0] * 3 + [90] * 3], [[8] * 30], np.zeros((1, 30, 3)), [1]))
    with pytest.raises(InputError, match="atomic number 26"):
        representation.encode(triclinic(elements=(26,)))
