from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen.errors import InputError
from kmatgen.representations import CrystalTable
from kmatgen.representations.crystal_table import lattice_matrix, lattice_parameters
from kmatgen.representations.space_groups import with_space_groups
from kmatgen.representations.symmetrise import kept_still, symmetrise, symmetry_report
from tests.representations.crystals import triclinic

# Lattice, species, coordinates of a perovskite, diamond in its primitive cell, hexagonal boron nitride, rutile.
PEROVSKITE = (
    [4, 4, 4, 90, 90, 90],
    [20, 22, 8, 8, 8],
    [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
)
DIAMOND = ([2.52, 2.52, 2.52, 60, 60, 60], [6, 6], [[0, 0, 0], [0.25, 0.25, 0.25]])
NITRIDE = (
    [2.5, 2.5, 6.66, 90, 90, 120],
    [5, 5, 7, 7],
    [[1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75], [2 / 3, 1 / 3, 0.25], [1 / 3, 2 / 3, 0.75]],
)
U = 0.305
RUTILE = (
    [4.6, 4.6, 2.96, 90, 90, 90],
    [22, 22, 8, 8, 8, 8],
    [[0, 0, 0], [0.5, 0.5, 0.5], [U, U, 0], [-U, -U, 0], [0.5 + U, 0.5 - U, 0.5], [0.5 - U, 0.5 + U, 0.5]],
)
KNOWN = {221: PEROVSKITE, 227: DIAMOND, 194: NITRIDE, 136: RUTILE}


def noisy(crystal, rng, copies=5, atoms=0.01, strain=0.003):
    """Copies moved to another origin, with noise in Angstrom on atoms and relative noise on lattice vectors."""
    lattice, species, coords = crystal
    matrix = lattice_matrix(np.array([lattice] * copies)) @ (np.eye(3) + rng.normal(0, strain, (copies, 3, 3)))
    shifted = np.array(coords) + rng.random((copies, 1, 3))
    shifted = shifted + rng.normal(0, atoms, shifted.shape) @ np.linalg.inv(matrix)
    return CrystalTable(lattice_parameters(matrix), [species] * copies, shifted % 1, np.zeros(copies))


@pytest.mark.parametrize("number", KNOWN)
def test_finds_and_imposes_what_noise_hid(number, rng):
    table = noisy(KNOWN[number], rng)
    # Two atoms always have an inversion centre between them.
    assert with_space_groups(table, 1e-3).space_group.max() <= 2
    better, report = symmetrise(table, symprec=0.15)
    assert_array_equal(report.space_group, number)
    # Now it is there at a tolerance a thousand times tighter.
    assert_array_equal(with_space_groups(better, 1e-4).space_group, number)
    assert_allclose(better.lattice, np.tile(KNOWN[number][0], (5, 1)), rtol=0.01)
    assert_array_equal(better.species, table.species)


def test_a_supercell_gets_the_symmetry_of_its_crystal(rng):
    """Though the operations of the crystal do not leave this cell of it as it is."""
    cells = np.array([[2, 1, 0], [0, 1, 0], [0, 0, 1]])
    coords = np.array([[0, 0, 0], [1, 1, 0], [0.5, 0.5, 0.5], [1.5, 1.5, 0.5]]) @ np.linalg.inv(cells)
    crystal = (lattice_parameters(4.1 * cells), [55, 55, 17, 17], coords)
    better, report = symmetrise(noisy(crystal, rng), symprec=0.15)
    assert_array_equal(report.space_group, 221)
    assert_array_equal(with_space_groups(better, 1e-4).space_group, 221)
    assert report.displacement.max() < 0.06


def test_says_what_moved():
    _, species, coords = PEROVSKITE
    coords = np.array(coords, float)
    coords[1, 0] += 0.03
    table = CrystalTable([[4.06, 4, 4, 90, 90, 90.3]], [species], [coords], [0])
    better, report = symmetrise(table, symprec=0.3)
    assert_array_equal(better.space_group, [221])
    length = np.sqrt((4.06**2 + 4**2 + 4**2) / 3)
    assert_allclose(better.lattice, [[length] * 3 + [90] * 3], rtol=1e-9)
    assert_allclose(report.length_change, 4.06 - length, rtol=1e-6)
    assert_allclose(report.angle_change, 0.3, rtol=1e-6)
    # moyopy puts the origin at the mean of all displacements: titanium goes back, and the others a little forward.
    assert 0.08 < report.displacement[0] < 0.13
    assert "1 of 1 crystals" in str(report)


class TestHeldParts:
    """A perovskite whose oxygens stand askew along x, by 0.06 and 0.02 Angstrom."""

    @pytest.fixture
    def table(self):
        lattice, species, coords = PEROVSKITE
        coords = np.array(coords)
        coords[2:, 0] += (0.015, 0.005, 0.0)
        return CrystalTable([lattice], [species], [coords], [0])

    def test_symmetry_moves_about_held_sites(self, table):
        better, _ = symmetrise(table, symprec=0.2)
        assert_array_equal(better.space_group, [221])
        assert np.abs(better.coords[0, :2] - table.coords[0, :2]).max() > 1e-3  # all move together
        held = kept_still(table, better, table.coords[0, :2])
        assert_allclose(held.coords[0, :2], table.coords[0, :2], atol=1e-12)
        assert_array_equal(held.space_group, [221])
        assert_array_equal(with_space_groups(held, 1e-4).space_group, [221])
        assert_allclose(symmetry_report(table, held).displacement, 0.06, rtol=1e-6)

    def test_what_would_move_held_sites_is_not_imposed(self, table):
        better, _ = symmetrise(table, symprec=0.2)
        held = kept_still(table, better, table.coords[0, :3])
        assert_array_equal(held.coords, table.coords)
        assert_array_equal(held.space_group, [0])

    def test_a_held_lattice(self, table):
        askew = replace(table, lattice=np.array([[4.01, 4, 4, 90, 90, 90]]))
        better, _ = symmetrise(askew, symprec=0.2)
        assert_array_equal(better.space_group, [221])
        nothing = np.empty((0, 3))
        assert_array_equal(kept_still(askew, better, nothing).lattice, better.lattice)
        held = kept_still(askew, better, nothing, hold_lattice=True)
        assert_array_equal(held.lattice, askew.lattice)
        assert_array_equal(held.space_group, [0])


def test_what_has_none_stays():
    table = triclinic(10)
    same, report = symmetrise(table, symprec=0.01)
    assert_array_equal(report.space_group, 1)
    assert_allclose(same.lattice, table.lattice, rtol=1e-12)
    assert_allclose(same.coords, table.coords, atol=1e-12)
    assert_array_equal(report.displacement < 1e-9, True)


def test_exact_crystals_stay():
    for number, (lattice, species, coords) in KNOWN.items():
        table = CrystalTable([lattice], [species], [coords], [0])
        same, report = symmetrise(table)
        assert_array_equal(same.space_group, [number])
        assert_allclose(same.lattice, table.lattice, rtol=1e-9)
        assert_allclose(report.displacement, 0, atol=1e-9)


def test_gaps_and_impossible_cells():
    lattice, species, coords = DIAMOND
    room = CrystalTable([lattice], [species], [coords], [0]).with_sites(4)
    assert_array_equal(symmetrise(room)[0].species, [[6, 6, 0, 0]])
    flat = replace(room, lattice=np.array([[2.5, 2.5, 2.5, 120, 120, 120.0]]))
    same, report = symmetrise(flat)
    assert_array_equal(report.space_group, 0)
    assert_array_equal(same.lattice, flat.lattice)
    assert len(symmetrise(room[:0])[0]) == 0
    with pytest.raises(InputError, match="symprec is above 0"):
        symmetrise(room, symprec=0)
