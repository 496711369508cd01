from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen.crystals.parts import crystal_parts
from kmatgen.data.crystal_source import open_crystals
from kmatgen.errors import InputError
from kmatgen.representations.base import keep_crystals
from kmatgen.representations.site_order import order_sites
from tests.representations.crystals import perovskites, triclinic


def structures(table):
    return table.structures()


def test_roles():
    table = replace(perovskites(60), properties={"gap": np.linspace(0, 3, 60)})
    opened = open_crystals(structures(table), conditions=["gap"], test_fraction=0.2)
    assert not opened.are_sets
    fields, conditions = opened.fields(opened.train), opened.conditions_of(opened.train)
    assert fields["lattice"].shape == (len(opened.train), 1)
    assert opened.condition_specs["gap"]["size"] == 1
    assert_allclose(conditions["gap"][:, 0], opened.train.properties["gap"], rtol=1e-6)
    decoded = keep_crystals({name: np.asarray(values) for name, values in opened.decoder(fields).items()})
    assert_allclose(decoded.table.density, opened.train.density, rtol=1e-4)
    assert_array_equal(opened.asked({"gap": 1.5})["gap"], [1.5])


def test_properties_to_predict():
    gap = np.linspace(0, 3, 60)
    gap[::7] = np.nan
    opened = open_crystals(structures(replace(perovskites(60), properties={"gap": gap})), properties=["gap"])
    # What is not known of a crystal does not leave it out.
    assert len(opened.train) + len(opened.test) == 60
    assert opened.conditions_of(opened.train) is None
    assert_allclose(opened.told(opened.train)["gap"][:, 0], opened.train.properties["gap"], rtol=1e-6)
    assert_allclose(opened.properties.specs["gap"]["mean"], np.nanmean(opened.train.properties["gap"]))
    assert opened.asked({"gap": 1.0}) is None
    assert opened.asked_properties({"gap": "1.5"}) == {"gap": 1.5}
    with pytest.warns(UserWarning, match="Received: 9"):
        opened.asked_properties({"gap": 9})


def test_crystals_without_the_condition_lend_no_elements():
    """An element may be left in one crystal alone, which then has to be trained on."""
    table = perovskites(60)
    rows = np.flatnonzero((table.species == 41).any(axis=1))
    gap = np.linspace(0, 3, 60)
    gap[rows[1:]] = np.nan
    for seed in range(8):
        given = structures(replace(table, properties={"gap": gap}))
        opened = open_crystals(given, conditions=["gap"], test_fraction=0.3, seed=seed)
        assert len(opened.train) + len(opened.test) == 60 - len(rows[1:])
        assert np.isin(opened.test.species, opened.train.species).all()
        assert opened.conditions.learned["elements"] == np.unique(opened.train.species).tolist()


def test_refuses_data_of_which_too_few_have_the_condition():
    gap = np.full(20, np.nan)
    gap[3] = 1.0
    with pytest.raises(InputError, match="with all properties that are asked for. Received: 1 and 0 of 20"):
        open_crystals(structures(replace(perovskites(20), properties={"gap": gap})), conditions=["gap"])


@pytest.mark.parametrize(("properties", "conditions"), [(["space_group"], []), (["gap"], ["gap"])])
def test_refuses_properties_to_predict(properties, conditions):
    table = replace(perovskites(20), properties={"gap": np.arange(20.0)})
    with pytest.raises(InputError, match=f"Received: {properties[0]!r}"):
        open_crystals(structures(table), properties=properties, conditions=conditions)


def test_sets():
    opened = open_crystals(structures(triclinic(60)), conditions=["composition"], test_fraction=0.2)
    assert opened.are_sets
    fields, conditions = opened.fields(opened.train), opened.conditions_of(opened.train)
    assert fields["coords"].shape[1:] == (opened.representation.sites, 3)
    assert_array_equal(conditions["mask"].sum(axis=1), opened.train.n_sites)
    assert_array_equal(opened.alike(fields, conditions), opened.train.n_sites)
    decoded = opened.decoder({"sample": fields, "condition": {"mask": conditions["mask"]}})
    decoded = keep_crystals({name: np.asarray(values) for name, values in decoded.items()})
    assert_allclose(decoded.table.density, opened.train.density, rtol=1e-4)


CRYSTENS = {"class_name": "crystens", "config": {"sites": 30, "limits": None}}


def test_tensors():
    opened = open_crystals(structures(triclinic(60)), representation=CRYSTENS, test_fraction=0.2)
    assert opened.are_tensors
    assert not opened.are_sets
    tensors = opened.fields(opened.train)
    assert tensors.shape == (len(opened.train), 42, 42, 4)
    assert opened.told(opened.train) is opened.condition_specs is opened.alike is None
    decoded = keep_crystals({name: np.asarray(values) for name, values in opened.decoder(tensors).items()})
    assert_allclose(decoded.table.density, opened.train.density, rtol=1e-4)
    # Sites have an order that can be learnt.
    assert_array_equal(opened.train.species, order_sites(opened.train, "cations").species)
    centred = crystal_parts(opened)["centred_decoder"](2 * tensors - 1)
    assert_allclose(centred["lattice"], opened.decoder(tensors)["lattice"], rtol=1e-4)
    assert opened.describe()["representation"]["class_name"] == "CrysTens"


@pytest.mark.parametrize(
    ("representation", "match"),
    [
        ({"class_name": "flat", "config": {}}, r"trained on point_cloud or crystens\. Received: 'flat'"),
        ({"class_name": "image"}, "A representation is one of .*crystens"),
        (CRYSTENS, "take no conditions and predict no properties.* Received: composition"),
    ],
)
def test_refuses_representations(representation, match):
    with pytest.raises(InputError, match=match):
        open_crystals(structures(perovskites(20)), representation=representation, conditions=["composition"])


def test_nothing_is_held_out_that_cannot_be_known():
    table = perovskites(40)
    species = table.species.copy()
    species[7, 0] = 91  # the only one
    opened = open_crystals(structures(replace(table, species=species)), test_fraction=0.5)
    assert 91 in opened.train.species
    assert set(np.unique(opened.test.species)) <= set(np.unique(opened.train.species))
    opened.fields(opened.test)


def test_describes_itself():
    described = open_crystals(structures(perovskites(40))).describe()
    assert described["train_crystals"] + described["test_crystals"] == 40
    assert described["representation"]["config"]["sites"] == 5


def test_refuses_properties_that_no_crystal_has():
    with pytest.raises(InputError, match="Received: 'gap'"):
        open_crystals(structures(perovskites(20)), conditions=["gap"])
