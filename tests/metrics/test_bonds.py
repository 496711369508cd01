import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen.metrics.bonds import bond_lengths_valid, nearest_bonds

from .crystals import broken, cubic

DIAMOND = [[0, 0, 0], [0.25, 0.25, 0.25]]  # two atoms of carbon, 3 ** .5 / 4 of an edge apart


def test_bonds_by_hand():
    carbon = cubic([4.0, 4.0], [[6, 8], [6, 0]], DIAMOND)
    assert_allclose(nearest_bonds(carbon), [[3**0.5 / (0.73 + 0.66)] * 2, [4 / 1.46, 1]])


def test_atoms_are_neither_inside_each_other_nor_alone():
    # Sum of radii 1.46 A: 0.7 and 1.5 of it are 1.022 and 2.19 A.
    edges = np.array([1.0, 1.1, 2.1, 2.3]) * 4 / 3**0.5
    table = cubic(edges, [[6, 6]] * 4, DIAMOND)
    assert_array_equal(bond_lengths_valid(table), [False, True, True, False])
    assert_array_equal(bond_lengths_valid(broken(table[[1]])), [True] + [False] * 4)
    table.species[1] = 100
    assert not bond_lengths_valid(table)[1]
