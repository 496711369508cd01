from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen.data.crystal_origin import with_origin
from kmatgen.data.duplicates import crystal_keys, first_of_its_kind
from kmatgen.errors import InputError
from kmatgen.representations.site_order import order_sites
from tests.representations.crystals import perovskites, triclinic


def moved(table, seed=1):
    """The same crystals from random origins, with their sites in random order and whole cells away."""
    rng = np.random.default_rng(seed)
    coords = table.coords + rng.random((len(table), 1, 3)) + rng.integers(-2, 3, table.coords.shape)
    turned = np.argsort(np.where(table.mask, rng.random(table.mask.shape), 2.0), axis=1)
    return replace(
        table,
        species=np.take_along_axis(table.species, turned, axis=1),
        coords=np.take_along_axis(coords, turned[..., None], axis=1),
    )


@pytest.mark.parametrize("table", [triclinic(40), perovskites(40)], ids=["triclinic", "perovskites"])
def test_crystals_from_different_origins_become_equal(table):
    one, two = (order_sites(with_origin(crystals), "position") for crystals in (table, moved(table)))
    assert_array_equal(one.species, two.species)
    assert_allclose(one.coords, two.coords, atol=1e-9)
    assert crystal_keys(table) == crystal_keys(moved(table))


def test_the_atom_is_of_the_rarest_element_and_nothing_else_changes():
    table = perovskites(40)
    found = with_origin(table)
    at_origin = (found.coords == 0).all(axis=2) & found.mask
    assert_array_equal(at_origin.sum(axis=1), 1)
    count = (found.species[:, :, None] == found.species[:, None]).sum(axis=2)
    assert_array_equal(count[at_origin], 1)
    assert_array_equal(found.species, table.species)
    shift = found.coords - table.coords
    assert_allclose(np.exp(2j * np.pi * (shift - shift[:, :1])), 1, atol=1e-9)


def test_given_wraps_only():
    table = replace(triclinic(), coords=triclinic().coords - 3)
    found = with_origin(table, "given")
    assert_allclose(found.coords, triclinic().coords, atol=1e-12)
    assert (found.coords < 1).all()
    tiny = replace(table, coords=np.full_like(table.coords, -1e-20))
    assert_array_equal(with_origin(tiny, "given").coords, 0)


def test_unknown_origin():
    with pytest.raises(InputError, match="origin is one of given, atom. Received: 'centre'"):
        with_origin(triclinic(), "centre")


def test_no_crystals():
    assert len(with_origin(triclinic()[:0])) == 0


def test_first_of_its_kind():
    assert_array_equal(first_of_its_kind([b"a", b"b", b"a", b"c", b"b"]), [0, 1, 0, 3, 1])
    table = triclinic(4)
    other = replace(table, lattice=table.lattice + 0.01 * np.eye(6)[0])
    assert not set(crystal_keys(table)) & set(crystal_keys(other))
    wider = table.with_sites(9)
    assert crystal_keys(table) == crystal_keys(wider)
