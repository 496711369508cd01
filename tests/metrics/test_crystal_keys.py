import numpy as np
import pytest
from numpy.testing import assert_allclose

from kmatgen.metrics.crystal_keys import Key, excess_overlap, formula_lengths, key_overlap, lattice_error, role_keys

from .crystals import broken, cubic, perovskites, real

SRTIO3 = Key(((8, 3), (22, 1), (38, 1)), (38, 22))


def test_the_key_tells_the_a_site_from_the_b_site():
    table = perovskites([3.9] * 3, [[38, 22, 8, 8, 8], [22, 38, 8, 8, 8], [38, 38, 8, 7, 8]])
    assert role_keys(table) == [SRTIO3, SRTIO3._replace(cations=(22, 38)), Key(((7, 1), (8, 2), (38, 2)), ())]


def test_the_key_knows_no_order_of_sites_origin_or_places_of_anions(rng):
    table = perovskites([3.9, 3.9], [[38, 22, 8, 8, 7], [38, 22, 7, 8, 8]])
    moved = table[[0]]
    order = rng.permutation(5)
    moved.species[:] = moved.species[:, order]
    moved.coords[:] = moved.coords[:, order] + 0.3
    keys = role_keys(table)
    assert keys == [keys[0]] * 2
    assert role_keys(moved) == keys[:1]


def test_elements_and_broken_crystals():
    assert role_keys(cubic(3.5, [6, 6], [[0, 0, 0], [0.5, 0.5, 0.5]])) == [Key(((6, 1),), ())]
    assert role_keys(broken(perovskites(3.9, [38, 22, 8, 8, 8]))) == [SRTIO3] + [None] * 4


def test_overlap_and_what_exceeds_chance():
    generated, training, held_out = ["a", "b", "c", None], ["a", "b", "x", "y"], ["c", "z"]
    assert key_overlap(generated, training) == 0.5
    assert key_overlap(generated, held_out) == 0.25
    assert excess_overlap(generated, training, held_out) == 0.0  # two of four against one of two
    assert key_overlap([None], [None]) == 0.0


def test_lattice_error_by_hand():
    generated = perovskites([4.0, 4.1, 5.0], [[38, 22, 8, 8, 8]] * 2 + [[20, 22, 8, 8, 8]])
    reference = perovskites([3.9, 4.4], [[38, 22, 8, 8, 8]] * 2)
    error = lattice_error(generated, reference, role_keys(generated), role_keys(reference))
    assert_allclose(error.error, (0.1 + 0.2) / 2)
    assert error.matched == 2
    nothing = lattice_error(generated[[2]], reference, role_keys(generated[[2]]), role_keys(reference))
    assert np.isnan(nothing.error)
    assert nothing.matched == 0


def test_lengths_are_of_a_formula_unit():
    rock_salt = cubic(4.0, [11, 11, 17, 17], [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0], [0, 0.5, 0]])
    assert_allclose(formula_lengths(rock_salt), 32 ** (1 / 3))


@pytest.mark.data
def test_real_perovskites_have_their_roles():
    table = real("perov_5")
    keys = role_keys(table)
    assert len(set(keys)) == 3787
    named = [(int(a), int(b)) for a, b in table.species[:, :2]]  # the file lists A, then B, then the anions
    assert all(key.cations == pair for key, pair in zip(keys, named, strict=True) if pair[0] != pair[1])
