import logging

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from kmatgen.data.crystals import read_crystals
from kmatgen.errors import InputError
from kmatgen.representations import CrystalTable
from kmatgen.representations.space_groups import with_space_groups

CUBIC = [4.0, 4.0, 4.0, 90.0, 90.0, 90.0]


def perovskite(shift=0.0):
    """SrTiO3 with titanium moved along z, in fractions of the cell."""
    coords = [[0, 0, 0], [0.5, 0.5, 0.5 + shift], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    return CrystalTable([CUBIC], [[38, 22, 8, 8, 8]], [coords], [1])


@pytest.mark.parametrize(("shift", "symprec", "number"), [(0, 0.01, 221), (0.01, 0.01, 99), (0.01, 0.1, 221)])
def test_tolerance(shift, symprec, number):
    assert_array_equal(with_space_groups(perovskite(shift), symprec).space_group, [number])


def test_angle_tolerance():
    table = perovskite()
    table.lattice[:, 5] = 90.2
    assert_array_equal(with_space_groups(table, 0.1, angle_tolerance=0.01).space_group, [65])
    assert_array_equal(with_space_groups(table, 0.1, angle_tolerance=1.0).space_group, [221])


def test_gaps_do_not_count_and_failures_are_zero():
    wide = perovskite().with_sites(7)
    broken = perovskite()
    broken.coords[0, 1] = broken.coords[0, 0]  # two atoms in one place
    assert_array_equal(with_space_groups(wide).space_group, [221])
    both = CrystalTable.concatenate([wide, broken])
    assert_array_equal(with_space_groups(both).space_group, [221, 0])


def test_it_is_quiet_and_leaves_the_log_as_it_was(caplog):
    doubled = CrystalTable([[4, 4, 8, 90, 90, 90]], [[26, 26]], [[[0, 0, 0], [0, 0, 0.5]]], [0])
    level = logging.getLogger("moyo").level
    assert_array_equal(with_space_groups(doubled).space_group, [221])
    assert not caplog.records
    assert logging.getLogger("moyo").level == level


@pytest.mark.parametrize("arguments", [{"symprec": 0.0}, {"symprec": np.nan}, {"angle_tolerance": -1.0}])
def test_arguments_are_checked(arguments):
    with pytest.raises(InputError, match="is above 0. Received: "):
        with_space_groups(perovskite(), **arguments)


def test_prototypes_have_the_groups_of_their_labels():
    """The AFLOW label of a prototype holds its space group: AB_hP6_154_a_b is 154."""
    table = read_crystals("prototypes", duplicates=True).table
    labels = np.array([int(origin.split("_")[2]) for origin in table.origin])
    assert len(table) == 288
    assert (table.space_group == labels).mean() > 0.97


def test_cells_with_which_moyopy_panics_or_never_ends():
    lattices = [CUBIC, [1e30, 2.8, 1.3, 100.6, 10.0, 99.1], [131.5, 3.03, 0.3, 90, 90, 90], [np.inf] * 6]
    coords = np.array([[[0, 0, 0], [0.7, 0.52, -3.1]]] * 4)
    table = CrystalTable(lattices, [[99, 98]] * 4, coords, np.zeros(4))
    found = with_space_groups(table).space_group
    assert found[0] > 0
    assert_array_equal(found[1:], [0, 0, 0])


def test_no_symmetry_within_half_of_a_lattice_vector():
    """moyopy may never end there."""
    table = CrystalTable([[1.2, 4, 6.6, 118, 128, 77]], [[6, 6]], [[[0, 0, 0], [0.3, 0.1, 0.4]]], [0])
    assert with_space_groups(table, 0.1).space_group[0] > 0
    assert with_space_groups(table, 0.6).space_group[0] == 0
