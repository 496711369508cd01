from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from kmatgen.data.crystal_splits import crystals, elements, formulas, split_table
from kmatgen.errors import InputError
from kmatgen.metrics.crystal_keys import role_keys
from kmatgen.representations import CrystalTable
from tests.representations.crystals import perovskites, triclinic


def rock_salts():
    """Rock salt in a primitive and in a conventional cell, and a larger one."""
    face_centred = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    conventional = np.concatenate([face_centred, face_centred + 0.5])

    def salt(a):
        return CrystalTable([[a, a, a, 90, 90, 90]], [[11] * 4 + [17] * 4], [conventional], [225])

    edge = 5.64 / np.sqrt(2)
    primitive = CrystalTable([[edge] * 3 + [60] * 3], [[11, 17]], [[[0, 0, 0], [0.5] * 3]], [225])
    return CrystalTable.concatenate([primitive, salt(5.64), salt(5.8)])


@pytest.mark.parametrize(("by", "key"), [("formula", formulas), ("elements", elements), (role_keys, role_keys)])
def test_no_key_is_on_both_sides(by, key):
    table = perovskites(300)
    train, test = split_table(table, 0.25, seed=1, by=by)
    assert not set(key(train)) & set(key(test))
    assert 60 < len(test) < 110
    assert sorted([*train.origin, *test.origin]) == sorted(table.origin)
    assert list(test.origin) == sorted(test.origin, key=lambda name: int(name.split()[1]))


def test_formulas_are_reduced():
    one, two, three = (
        CrystalTable([[4, 4, 4, 90, 90, 90]], [species], [np.zeros((len(species), 3))], [0])
        for species in ([22, 8, 8], [8, 22, 8, 22, 8, 8], [22, 22, 8])
    )
    assert formulas(one) == formulas(two) != formulas(three)
    assert elements(one) == elements(two) == elements(three)


def test_equal_crystals_stay_together_whatever_their_cell():
    keys = crystals(rock_salts())
    assert keys[0] == keys[1] != keys[2]
    for seed in range(5):
        train, test = split_table(rock_salts(), 0.4, seed=seed, by="crystal")
        assert {len(train), len(test)} == {1, 2}


def test_a_function_of_the_table_and_chains_of_equal_crystals():
    table = CrystalTable.concatenate([rock_salts(), rock_salts()[[0]]])
    table = replace(table, properties={"label": np.array([0, 1, 2, 3])})
    for seed in range(5):
        train, test = split_table(table, 0.3, seed=seed, by=lambda crystals: crystals.properties["label"])
        assert {len(train), len(test)} == {1, 3}  # labels 0, 1 and 3 are one crystal


def test_the_seed_decides():
    table = perovskites(100)
    one, two, other = (split_table(table, 0.2, seed=seed)[1] for seed in (0, 0, 1))
    assert_array_equal(one.origin, two.origin)
    assert set(one.origin) != set(other.origin)


def test_a_large_group_does_not_empty_a_side():
    table = CrystalTable.concatenate([perovskites(1), triclinic(1)])[[0] * 9 + [1]]
    for seed in range(6):
        train, test = split_table(table, 0.1, seed=seed)
        assert min(len(train), len(test)) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"test_fraction": 1.0}, "above 0 and below 1. Received: 1.0"),
        ({"by": "name"}, "split by formula, elements, crystal or a function. Received: by='name'"),
        ({"by": lambda table: [1, 2]}, "A key for each of 12 crystals is needed. Received: 2 keys"),
        ({"by": lambda table: [1] * len(table)}, "at least two keys; by='crystal'"),
    ],
)
def test_what_the_user_can_mend(arguments, message):
    with pytest.raises(InputError, match=message):
        split_table(triclinic(), **arguments)
