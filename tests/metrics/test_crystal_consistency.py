import numpy as np
from numpy.testing import assert_allclose

from kmatgen.metrics.crystal_consistency import consistency
from kmatgen.representations.crystens import Copies, CrysTens

from .crystals import perovskites


def copies_of(rows, differences, n_sites):
    return Copies(rows, np.zeros(differences.shape[:3]), differences, np.array(n_sites))


def test_real_crystals_do_not_contradict_themselves():
    table = perovskites([3.9, 4.0], [[38, 22, 8, 8, 8], [20, 40, 8, 8, 7]])
    codec = CrysTens(sites=8).fit(table)
    assert_allclose(consistency(codec.copies(codec.encode(table))), 0, atol=1e-7)


def test_the_five_statistics_by_hand():
    rows, differences = np.zeros((1, 3, 11, 8)), np.zeros((1, 3, 3, 3))
    rows[0, 2] = 1e6  # beyond the two sites that count
    rows[0, :2, 4, :4] = 2.0  # half of the copies of a, as 2 and 0: variance 1; b and c agree
    rows[0, 0, 7] = 4.0  # alpha 4 at one site and 0 at the other: variance 4
    rows[0, :2, 10, 0] = 8.0  # one of eight copies of the space group: 64 / 8 - 1
    rows[0, 0, 1, :4] = 0.2  # x of the first site: variance .01, mean .1
    found = consistency(copies_of(rows, differences, [2]))
    assert_allclose(found.lengths, 1 / 3)
    assert_allclose(found.angles, 4 / 3)
    assert_allclose(found.space_group, 7)
    assert_allclose(found.coordinates, 0.01 / 6)
    # Both sites are told to be where the mean is, .05 away in x, by 1 - 1 / 14 of the way.
    assert_allclose(found.relative, 2 * 0.05 * (1 - 1 / 14) / 6)


def test_tensors_without_atoms_do_not_count():
    rows, differences = np.zeros((2, 3, 11, 8)), np.zeros((2, 3, 3, 3))
    rows[0] = 1e6
    assert_allclose(consistency(copies_of(rows, differences, [0, 2])), 0)
    assert np.isnan(consistency(copies_of(rows, differences, [0, 0]))).all()
