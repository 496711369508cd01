from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen.errors import InputError
from kmatgen.representations import CrystalTable
from kmatgen.representations.site_order import find_prototype, order_sites, wrapped
from tests.representations.crystals import perovskites, triclinic


def test_by_position_whatever_noise_does():
    coords = np.array([[[0.5, 0.5, 0.5], [0.5, 0.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, 0.5]]])
    noise = np.random.default_rng(0).uniform(-0.005, 0.005, (50, 4, 3))
    table = CrystalTable(np.full((50, 6), 90.0), np.tile([1, 2, 3, 4], (50, 1)), coords + noise, np.zeros(50))
    assert_array_equal(order_sites(table, "position").species, np.tile([4, 3, 2, 1], (50, 1)))


def test_by_electronegativity_with_gaps_last():
    table = CrystalTable(
        [[4, 4, 4, 90, 90, 90]], [[8, 38, 22, 8, 0]], [[[0.5, 0, 0], [0, 0, 0], [0.5] * 3, [0, 0.5, 0], [0] * 3]], [0]
    )
    ordered = order_sites(table, "electronegativity")
    assert_array_equal(ordered.species, [[38, 22, 8, 8, 0]])  # Sr .95, Ti 1.54, O 3.44
    assert_array_equal(ordered.coords[0, 2], [0, 0.5, 0])


def test_cations_first_whatever_they_are():
    """Strontium is less electronegative than titanium; the site at the corner comes first in both."""
    corner, centre, anions = [[0, 0, 0]], [[0.5, 0.5, 0.5]], [[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
    coords = [[*anions, *centre, *corner]] * 2
    table = CrystalTable([[4, 4, 4, 90, 90, 90]] * 2, [[8, 8, 8, 22, 38], [8, 8, 8, 38, 22]], coords, [0, 0])
    ordered = order_sites(table, "cations")
    assert_array_equal(ordered.species, [[38, 22, 8, 8, 8], [22, 38, 8, 8, 8]])
    assert_array_equal(ordered.coords[0], [*corner, *centre, *anions])


def test_roles_of_perovskites_are_found():
    table = perovskites(100)
    prototype = find_prototype(table)
    anions = wrapped(prototype[2:])
    anions = anions[np.argsort(anions @ [1, 2, 3])]
    assert_allclose(wrapped(prototype[:2]), [[0, 0, 0], [0.5, 0.5, 0.5]], atol=0.03)
    assert_allclose(anions, [[0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]], atol=0.03)
    ordered = order_sites(table, "role", prototype)
    assert_array_equal(np.unique(ordered.species[:, 0]), [20, 38, 56])
    assert_array_equal(np.unique(ordered.species[:, 1]), [22, 40, 41])
    assert_array_equal(np.sort(ordered.species), np.sort(table.species))


@pytest.mark.parametrize("order", ["position", "cations", "electronegativity", "role"])
def test_the_order_given_does_not_matter(order):
    table = triclinic(varying=False)
    prototype = find_prototype(table)
    turned = np.random.default_rng(1).permutation(6)
    other = replace(table, species=table.species[:, turned], coords=table.coords[:, turned])
    one, two = (order_sites(given, order, prototype) for given in (table, other))
    assert_array_equal(one.species, two.species)
    assert_array_equal(one.coords, two.coords)


def test_given_stays():
    table = triclinic()
    assert order_sites(table, "given") is table


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: order_sites(triclinic(), "size"), "is one of given"),
        (lambda: order_sites(triclinic(), "role"), "needs the prototype"),
        (lambda: order_sites(triclinic(), "role", np.zeros((6, 3))), "learned from crystals of 6 sites"),
        (lambda: find_prototype(triclinic()), "from 2 to 6 sites"),
    ],
)
def test_what_the_user_can_mend(wrong, message):
    with pytest.raises(InputError, match=message):
        wrong()
