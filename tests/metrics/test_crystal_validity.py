import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from smact.screening import smact_validity

from kmatgen.errors import InputError
from kmatgen.metrics.crystal_validity import compositionally_valid, structurally_valid

from .crystals import broken, cubic, perovskites, real

SRTIO3, NAN3 = [38, 22, 8, 8, 8], [11, 11, 7, 7, 7]


def test_atoms_are_half_an_angstrom_apart():
    close = cubic([4.0, 4.0], [[55, 17], [55, 17]], [[0, 0, 0], [0.12, 0, 0]])
    close.coords[1, 1, 0] = 0.88  # near the image in the next cell
    assert_array_equal(structurally_valid(close), [False, False])
    assert_array_equal(structurally_valid(close, min_distance=0.47), [True, True])
    close.coords[:, 1, 0] = 0.126
    assert_array_equal(structurally_valid(close), [True, True])


def test_cells_have_a_volume_and_are_thicker_than_an_atom():
    cells = cubic([0.46, 0.47, 0.51], [[6]] * 3, [[0, 0, 0]])
    assert_array_equal(structurally_valid(cells), [False, False, True])
    assert_array_equal(structurally_valid(cells, min_distance=0), [False, True, True])  # 0.097 and 0.104 cubic Angstrom


def test_broken_rows_are_invalid_and_the_others_go_on():
    table = broken(perovskites([3.9, 4.0], [SRTIO3, SRTIO3]))
    assert_array_equal(structurally_valid(table), [True, True, False, False, False, False])
    assert_array_equal(compositionally_valid(table), [True, True, True, True, True, False])


def test_unknown_elements_are_invalid():
    table = cubic([4.0, 4.0, 4.0], [[119], [-1], [6]], [[0, 0, 0]])
    assert_array_equal(structurally_valid(table), [False, False, True])
    assert_array_equal(compositionally_valid(table), [False, False, True])


def test_smact_on_known_compositions():
    table = perovskites([4.0] * 4, [SRTIO3, NAN3, [26, 28, 29, 29, 29], [6] * 5])
    # Strontium titanate is neutral, Na2N3 is not; FeNiCu3 is an alloy, carbon an element.
    for name in ("smact14", "icsd24"):
        assert_array_equal(compositionally_valid(table, name), [True, False, True, True])


def test_the_same_as_the_loop_over_all_states(rng):
    species = rng.integers(1, 104, (60, 4))
    species[:, 3] = species[:, 0]
    table = cubic([4.0] * 60, species, np.arange(12).reshape(4, 3) / 12)
    for name in ("smact14", "icsd16", "icsd24", "pymatgen_sp"):
        found = compositionally_valid(table, name)
        expected = [smact_validity(one.composition, oxidation_states_set=name) for one in table.structures()]
        assert_array_equal(found, expected)
        assert 10 < found.sum() < 55


def test_many_elements_take_no_time_and_unknown_ones_are_invalid():
    metals = [11, 19, 12, 20, 13]  # 9 positive charges, and a titanium with 3 that makes them 12
    many = cubic([9.0] * 2, [[*metals, last, *[8] * 6] for last in (22, 115)], np.arange(36).reshape(12, 3) / 36)
    assert_array_equal(compositionally_valid(many), [True, False])


def test_an_unknown_table_is_named():
    with pytest.raises(InputError, match=r"smact14.*Received: 'smact15'\.$"):
        compositionally_valid(perovskites(4.0, SRTIO3), "smact15")


@pytest.mark.data
def test_shares_of_real_perovskites():
    table = real("perov_5")
    assert structurally_valid(table).all()
    # Of all 3,787 with SMACT 4.0.2; an independent loop over the states finds the same crystals.
    for name, share in {"smact14": 0.987, "icsd24": 0.985, "pymatgen_sp": 0.673}.items():
        assert_allclose(compositionally_valid(table, name).mean(), share, atol=0.006)
