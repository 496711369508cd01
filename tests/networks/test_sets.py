import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

import kmatgen as kg
from kmatgen.networks import site_transformer
from kmatgen.representations import PointCloud
from tests.representations.crystals import triclinic

FIELDS = {"lattice": (6,), "species": (4, 2), "coords": (4, 3)}
MASK = {"mask": {"size": 4}}


@pytest.fixture(params=["plain", "with distances"])
def network(rng, request):
    sizes = {"width": 8, "blocks": 2, "heads": 2, "pair_width": 4, "frequencies": 2, "radial": 4}
    cell = PointCloud(4).fit(triclinic(12, sites=4)) if request.param == "with distances" else None
    made = site_transformer(FIELDS, **sizes, period=4, cell=cell, condition=MASK)
    made.set_weights([rng.normal(0, 0.5, weight.shape) for weight in made.get_weights()])
    return made


@pytest.fixture
def inputs(rng):
    return {
        "sample": {name: rng.normal(size=(2, *shape)).astype("float32") for name, shape in FIELDS.items()},
        "time": np.array([0.2, 0.7], np.float32),
        "condition": {"mask": np.array([[1, 1, 1, 0], [1, 1, 1, 1]], np.float32)},
    }


def with_field(inputs, name, values):
    return {**inputs, "sample": {**inputs["sample"], name: values.astype("float32")}}


def test_shapes(network, inputs):
    found = network(inputs)
    assert {name: tuple(field.shape[1:]) for name, field in found.items()} == FIELDS
    assert list(found) == list(FIELDS)


def test_permutes_with_the_sites(network, inputs):
    order = [2, 1, 0, 3]
    turned = with_field(inputs, "coords", inputs["sample"]["coords"][:, order])
    turned = with_field(turned, "species", inputs["sample"]["species"][:, order])
    found, expected = network(turned), network(inputs)
    assert_allclose(found["coords"], np.asarray(expected["coords"])[:, order], atol=1e-4)
    assert_allclose(found["lattice"], expected["lattice"], atol=1e-4)


def test_origin_and_periodic_images_do_not_matter(network, inputs, rng):
    coords = inputs["sample"]["coords"] + rng.normal(size=(2, 1, 3)) + 4 * rng.integers(-1, 2, (2, 4, 3))
    found, expected = network(with_field(inputs, "coords", coords)), network(inputs)
    for name in FIELDS:
        assert_allclose(found[name], expected[name], atol=2e-3)


def test_sites_that_are_not_there_do_not_matter(network, inputs):
    coords = inputs["sample"]["coords"].copy()
    coords[0, 3] = 1.23
    found, expected = network(with_field(inputs, "coords", coords)), network(inputs)
    assert_allclose(np.asarray(found["coords"])[0, :3], np.asarray(expected["coords"])[0, :3], atol=1e-4)
    assert_allclose(found["lattice"], expected["lattice"], atol=1e-4)


def test_no_more_sites_than_the_batch_has(network, inputs):
    """Trimmed: the same as without the sites that no sample has, which come back as zeros."""
    inputs["condition"] = {"mask": np.array([[1, 1, 0, 0], [1, 1, 1, 0]], np.float32)}
    found = np.asarray(network(inputs)["coords"])
    assert np.abs(found[:, 3]).max() == 0
    inputs["condition"] = {"mask": np.array([[1, 1, 0, 0], [1, 1, 1, 1]], np.float32)}
    assert_allclose(np.asarray(network(inputs)["coords"])[0, :2], found[0, :2], atol=1e-4)
    assert np.abs(np.asarray(network(inputs)["coords"])[1, 3]).max() > 0


def test_zero_before_training(inputs):
    found = site_transformer(FIELDS, width=8, heads=2, condition=MASK)(inputs)
    assert all(np.abs(field).max() == 0 for field in found.values())


def test_round_trip(network, inputs, tmp_path):
    network.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras")
    assert_allclose(again(inputs)["coords"], network(inputs)["coords"], atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "condition", "match"),
    [
        ((4, 3), MASK, "needs a field coords"),
        (FIELDS, None, "needs a condition with .mask.*Received: None"),
        (FIELDS, {"mask": {"size": 5}}, "Received: {'mask': {'size': 5}}"),
    ],
)
def test_refuses(shape, condition, match):
    with pytest.raises(kg.InputError, match=match):
        site_transformer(shape, condition=condition)
