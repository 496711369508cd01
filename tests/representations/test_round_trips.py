"""What every representation promises: encoding and decoding gives the crystal back, on made-up and on real ones."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen import registry
from kmatgen.errors import InputError
from kmatgen.representations import CrysTens, Flat, PointCloud
from tests.representations.crystals import largest_coordinate_error, triclinic

DATA = Path(__file__).parents[2].parent / "shared" / "data"

# By name: how to make it; largest error of lengths (relative), angles (degrees), coordinates (fractions of a cell).
LOSSLESS = {
    "crystens": (CrysTens, 2e-6, 1e-4, 2e-6),
    "crystens_data": (lambda: CrysTens(limits="data"), 2e-6, 1e-4, 2e-6),
    "flat": (Flat, 2e-6, 1e-4, 2e-6),
    "point_cloud": (lambda: PointCloud(order="given"), 2e-6, 1e-4, 2e-6),
}


@pytest.fixture(params=LOSSLESS)
def case(request):
    make, *errors = LOSSLESS[request.param]
    return make(), errors


def test_gives_made_up_crystals_back(case):
    representation, (lengths, angles, coords) = case
    table = triclinic(30)
    arrays = representation.fit(table).encode(table)
    decoded = representation.decode(arrays)
    table = table.with_sites(decoded.table.species.shape[1])
    assert_array_equal(decoded.refused, "")
    assert_array_equal(decoded.table.species, table.species)
    assert_allclose(decoded.table.lattice[:, :3], table.lattice[:, :3], rtol=lengths)
    assert_allclose(decoded.table.lattice[:, 3:], table.lattice[:, 3:], atol=angles)
    assert largest_coordinate_error(decoded.table, table) < coords
    if decoded.table.space_group.any():
        assert_array_equal(decoded.table.space_group, table.space_group)


def test_arrays_are_float32_of_the_shapes_it_says(case):
    representation, _ = case
    table = triclinic()
    arrays = representation.fit(table).encode(table)
    fields, shapes = (value if isinstance(value, dict) else {"": value} for value in (arrays, representation.shapes))
    assert {name: array.shape for name, array in fields.items()} == {
        name: (len(table), *shape) for name, shape in shapes.items()
    }
    assert {array.dtype for array in fields.values()} == {np.dtype(np.float32)}


def test_configuration_is_json_and_makes_the_same(case):
    representation, _ = case
    table = triclinic()
    expected = representation.fit(table).encode(table)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(representation)))
    again = registry.get("representation", config)
    for one, two in zip(keras.tree.flatten(again.encode(table)), keras.tree.flatten(expected), strict=True):
        assert_array_equal(one, two)


def test_nan_is_refused_and_the_others_go_on(case):
    representation, _ = case
    table = triclinic()
    arrays = representation.fit(table).encode(table)
    for array in keras.tree.flatten(arrays):
        array[[0, 3]] = np.nan
    decoded = representation.decode(arrays)
    assert set(decoded.refused[[0, 3]]) == {"numbers that are not finite"}
    assert_array_equal(decoded.rows, [1, 2, *range(4, 12)])
    expected = table.with_sites(decoded.table.species.shape[1])[decoded.rows]
    assert_array_equal(decoded.table.species, expected.species)


@pytest.mark.parametrize("scale", [0.3, 3.0, 1e30])
def test_noise_never_stops_it(case, scale):
    representation, _ = case
    representation.fit(triclinic())
    rng = np.random.default_rng(0)
    noise = keras.tree.map_structure(
        lambda array: rng.normal(0.5, scale, (8, *array.shape[1:])).astype(np.float32),
        representation.encode(triclinic()),
    )
    decoded = representation.decode(noise)
    assert len(decoded.table) == (decoded.refused == "").sum()
    assert np.isfinite(decoded.table.volume).all()


def test_no_crystals_are_no_trouble(case):
    representation, _ = case
    arrays = representation.fit(triclinic()).encode(triclinic()[:0])
    assert len(representation.decode(arrays).table) == 0


def test_what_does_not_fit_is_said(case):
    representation, _ = case
    with pytest.raises(InputError, match="call fit"):
        type(representation)().encode(triclinic())
    representation.fit(triclinic())
    with pytest.raises(InputError, match="sites"):
        representation.encode(triclinic(2, sites=60))
    with pytest.raises(InputError, match="of shape"):
        representation.decode(np.zeros((2, 7)))
