import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen.data.crystal_conditions import CrystalConditions
from kmatgen.errors import InputError
from kmatgen.representations import CrystalTable


@pytest.fixture
def table():
    """BaTiO3 twice and NaCl, with a property that one of them lacks."""
    species = [[56, 22, 8, 8, 8], [56, 22, 8, 8, 8], [11, 17, 0, 0, 0]]
    lattice = np.tile([4.0, 4, 4, 90, 90, 90], (3, 1))
    gaps = {"gap": np.array([1.0, 3.0, np.nan])}
    return CrystalTable(lattice, species, np.zeros((3, 5, 3)), [221, 99, 225], gaps)


@pytest.fixture
def conditions(table):
    return CrystalConditions(["space_group", "composition", "chemical_system", "gap"]).fit(table)


def test_arrays(conditions, table):
    arrays = conditions.arrays(table[:2])
    assert_array_equal(arrays["space_group"], [221, 99])
    assert conditions.learned["elements"] == [8, 11, 17, 22, 56]
    assert_allclose(arrays["composition"], [[0.6, 0, 0, 0.2, 0.2]] * 2, rtol=1e-6)
    assert_array_equal(arrays["chemical_system"], [[1, 0, 0, 1, 1]] * 2)
    assert_array_equal(arrays["gap"], [[1], [3]])
    assert_array_equal(conditions.known_rows(table), [True, True, False])


def test_specs(conditions):
    assert conditions.specs == {
        "space_group": {"classes": 231},
        "composition": {"size": 5},
        "chemical_system": {"size": 5},
        "gap": {"size": 1, "mean": 2.0, "scale": 1.0},
    }


def test_asked(conditions):
    request = {"space_group": "Pm-3m", "composition": "BaTiO3", "chemical_system": "Na-Cl", "gap": 2}
    asked = conditions.asked(request)
    assert asked["space_group"] == 221
    assert_allclose(asked["composition"], [0.6, 0, 0, 0.2, 0.2], rtol=1e-6)
    assert_array_equal(asked["chemical_system"], [0, 1, 1, 0, 0])
    assert_array_equal(asked["gap"], [2])
    again = CrystalConditions(**conditions.get_config()).asked(request)
    assert_array_equal(again["composition"], asked["composition"])


def test_site_count(conditions):
    assert conditions.site_count("Ba2Ti2O6") == 5
    assert conditions.site_count("NaCl") == 2
    assert conditions.site_count("NaCl2") is None


def test_warns_outside_of_the_range(conditions):
    with pytest.warns(UserWarning, match=r"gap .* from 1 to 3.*Received: 7"):
        conditions.asked({"gap": 7.0})


@pytest.mark.parametrize(
    ("request_", "match"),
    [
        ({"colour": 1}, "is asked for space_group.*Received: colour=1"),
        ({"gap": "wide"}, "gap is a number.*Received: 'wide'"),
        ({"space_group": 231}, "from 1 to 230.*Received: 231"),
        ({"space_group": "P99"}, "such as Pm-3m.*Received: 'P99'"),
        ({"composition": "XyZ"}, "written like BaTiO3.*Received: 'XyZ'"),
        ({"composition": "FeO"}, "atomic number 26 is new"),
    ],
)
def test_refuses(conditions, request_, match):
    with pytest.raises(InputError, match=match):
        conditions.asked(request_)


def test_refuses_a_column_that_is_not_there(table):
    with pytest.raises(InputError, match=r"\(here: gap\). Received: 'band_gap'"):
        CrystalConditions(["band_gap"]).fit(table)
