import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pymatgen.core import Lattice, Structure

from kmatgen.errors import InputError
from kmatgen.representations.crystal_table import (
    CrystalTable,
    atomic_masses,
    element_counts,
    lattice_matrix,
    lattice_parameters,
    lattice_volume,
    reduced_counts,
)
from tests.representations.crystals import triclinic

LATTICES = triclinic(30).lattice


def table(n=3):
    """Caesium chloride, with a column of numbers."""
    return CrystalTable(
        np.tile([4.0, 4.0, 4.0, 90, 90, 90], (n, 1)),
        np.tile([55, 17, 0], (n, 1)),
        np.tile([[0.0, 0, 0], [0.5] * 3, [0.0] * 3], (n, 1, 1)),
        np.full(n, 221),
        {"gap": np.arange(n, dtype=float)},
    )


def test_matrix_and_volume_are_pymatgens():
    for row, parameters in enumerate(LATTICES):
        expected = Lattice.from_parameters(*parameters)
        assert_allclose(lattice_matrix(LATTICES)[row], expected.matrix, atol=1e-9)
        assert_allclose(lattice_volume(LATTICES)[row], expected.volume)


def test_parameters_are_the_inverse_of_the_matrix():
    assert_allclose(lattice_parameters(lattice_matrix(LATTICES)), LATTICES, rtol=1e-12)
    turned = lattice_matrix(LATTICES) @ np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    assert_allclose(lattice_parameters(turned), LATTICES, rtol=1e-9)


def test_angles_that_fit_no_cell_have_no_volume():
    assert np.isnan(lattice_volume([5, 5, 5, 30, 30, 150]))
    assert np.isnan(lattice_matrix([5, 5, 5, 30, 30, 150])).any()


def test_sites_mask_and_density():
    crystals = table()
    assert_array_equal(crystals.mask, [[True, True, False]] * 3)
    assert_array_equal(crystals.n_sites, [2, 2, 2])
    assert_allclose(crystals.volume, 64.0)
    assert_allclose(crystals.density, (132.9054519 + 35.453) / 64 * 1.66053906660, rtol=1e-6)
    assert_allclose(crystals.density, [structure.density for structure in crystals.structures()], rtol=1e-6)


def test_masses_of_elements():
    assert_allclose(atomic_masses()[[0, 1, 6, 92]], [0, 1.008, 12.011, 238.029], rtol=1e-4)
    assert atomic_masses().shape == (119,)


def test_types_are_settled():
    crystals = CrystalTable([[4, 4, 4, 90, 90, 90]], [[55.0, 17.0]], [[[0, 0, 0], [1, 1, 1]]], [221.0])
    assert crystals.lattice.dtype == crystals.coords.dtype == np.float64
    assert crystals.species.dtype == crystals.space_group.dtype == np.int16
    assert list(crystals.origin) == ["row 0"]


@pytest.mark.parametrize("rows", [slice(1, 3), [1, 2], np.array([False, True, True])])
def test_rows(rows):
    some = table()[rows]
    assert len(some) == 2
    assert list(some.origin) == ["row 1", "row 2"]
    assert_array_equal(some.properties["gap"], [1, 2])
    assert len(table()[[]]) == 0
    assert list(table()[1].origin) == list(table()[-2].origin) == ["row 1"]


def test_room_for_sites():
    assert table().with_sites(2).species.shape == (3, 2)
    assert table().with_sites(7).coords.shape == (3, 7, 3)
    with pytest.raises(InputError, match="largest crystal has 2 sites. Received: sites=1"):
        table().with_sites(1)


def test_structures_and_back():
    crystals = triclinic()
    structures = crystals.structures()
    back = CrystalTable.from_structures(structures, crystals.origin, {"gap": np.arange(len(crystals))})
    assert_allclose(back.lattice, crystals.lattice, rtol=1e-9)
    assert_allclose(back.coords, crystals.coords, atol=1e-12)
    assert_array_equal(back.species, crystals.species)
    assert_array_equal(back.properties["gap"], np.arange(len(crystals)))
    assert structures[3].properties["origin"] == "row 3"


def test_a_left_handed_cell_keeps_its_atoms():
    matrix = np.array([[3.0, 0, 0], [0, 4, 0], [0.5, 0, 5]])
    places = np.array([[0.1, 0.2, 0.3], [0.6, 0.1, 0.4]])
    (again,) = CrystalTable.from_structures([Structure(Lattice(-matrix), ["Fe", "O"], places)]).structures()
    right = Structure(Lattice(matrix), ["Fe", "O"], -places)
    assert_allclose(again.frac_coords, right.frac_coords, atol=1e-12)
    assert_allclose(again.distance_matrix, right.distance_matrix, atol=1e-12)


def test_joined_tables_share_what_both_have():
    other = triclinic(4, sites=5)
    joined = CrystalTable.concatenate([table(), other])
    assert len(joined) == 7
    assert joined.species.shape == (7, 5)
    assert joined.properties == {}
    assert_array_equal(joined[3:].coords, other.coords)
    assert list(CrystalTable.concatenate([table(), table()]).properties) == ["gap"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: CrystalTable(np.zeros((2, 6)), [[1]], [[[0, 0, 0]]], [0]), "has lattice of shape .1, 6."),
        (lambda: CrystalTable(np.zeros((1, 6)), [[1]], [[[0, 0, 0]]], [0], {"gap": np.zeros(2)}), "{'gap': 2}"),
        (lambda: CrystalTable.from_structures([]), "at least one crystal"),
        (
            lambda: CrystalTable.from_structures([Structure(Lattice.cubic(3), [{"Fe": 0.5, "Ni": 0.5}], [[0] * 3])]),
            "disordered",
        ),
        (lambda: CrystalTable.concatenate([]), "at least one table"),
    ],
)
def test_what_the_user_can_mend(wrong, message):
    with pytest.raises(InputError, match=message):
        wrong()


def test_from_fields_of_a_model():
    lattice = np.tile([4.0, 4, 4, 90, 90, 90], (3, 1))
    fields = {"lattice": lattice, "species": [[11, 17], [-3, 17], [11, 119]], "coords": np.zeros((3, 2, 3)), "mask": 1}
    table = CrystalTable.from_fields(fields)
    assert_array_equal(np.isfinite(table.volume), [True, False, False])
    assert_array_equal(table.species, [[11, 17], [0, 17], [11, 0]])


def test_counts_of_elements():
    species = [[38, 22, 8, 8, 8, 0], [8, 22, 8, 22, 8, 8], [0] * 6]
    crystals = CrystalTable([[4.0] * 3 + [90] * 3] * 3, species, np.zeros((3, 6, 3)), [0] * 3)
    counts, reduced = element_counts(crystals), reduced_counts(crystals)
    assert counts.shape == reduced.shape == (3, 119)
    found = [[{int(z): int(row[z]) for z in np.flatnonzero(row)} for row in each] for each in (counts, reduced)]
    assert found == [[{38: 1, 22: 1, 8: 3}, {8: 4, 22: 2}, {}], [{38: 1, 22: 1, 8: 3}, {8: 2, 22: 1}, {}]]
