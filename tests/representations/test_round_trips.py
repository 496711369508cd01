"""What every representation promises: encoding and decoding gives the crystal back, on made-up and on real ones."""

import json
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal
from pymatgen.analysis.structure_matcher import StructureMatcher

from kmatgen import registry
from kmatgen.data.crystals import read_crystals
from kmatgen.errors import InputError
from kmatgen.representations import Composition, CrysTens, DirectionGraph, Flat, PointCloud, XtalImage
from tests.representations.crystals import from_first_site, largest_coordinate_error, triclinic

DATA = Path(__file__).parents[2].parent / "shared" / "data"

# By name: how to make it; largest error of lengths (Angstrom), angles (degrees), coordinates (fractions of a cell).
FLOAT32 = (2e-5, 1e-4, 1e-6)
EIGHT_BITS = (0.5 * 34 / 255, 0.5 * 180 / 255, 0.5 / 255)
ALL = {
    "crystens": (CrysTens, *FLOAT32),
    "crystens_data": (lambda: CrysTens(limits="data"), *FLOAT32),
    "direction_graph": (DirectionGraph, *FLOAT32),
    "flat": (Flat, *FLOAT32),
    "point_cloud": (lambda: PointCloud(order="given"), *FLOAT32),
    "point_cloud_bits": (lambda: PointCloud(order="given", bits=True, elements="any", whiten="no"), *FLOAT32),
    "xtal_image": (XtalImage, *EIGHT_BITS),
    "xtal_image_data": (lambda: XtalImage(limits="data"), *EIGHT_BITS),
    # Keeps the composition alone.
    "composition": (Composition, None, None, None),
}
GEOMETRY = [name for name, errors in ALL.items() if errors[1]]


@pytest.fixture(params=ALL)
def case(request):
    make, *errors = ALL[request.param]
    return make(), errors


@pytest.mark.parametrize("name", GEOMETRY)
def test_gives_made_up_crystals_back(name):
    make, lengths, angles, coords = ALL[name]
    representation, table = make(), triclinic(30)
    if "origin" in representation.keeps:
        table = from_first_site(table)
    arrays = representation.fit(table).encode(table)
    decoded = representation.decode(arrays)
    table = table.with_sites(decoded.table.species.shape[1])
    assert_array_equal(decoded.refused, "")
    assert_array_equal(decoded.table.species, table.species)
    assert_allclose(decoded.table.lattice[:, :3], table.lattice[:, :3], rtol=0, atol=lengths * 1.001)
    assert_allclose(decoded.table.lattice[:, 3:], table.lattice[:, 3:], rtol=0, atol=angles * 1.001)
    assert largest_coordinate_error(decoded.table, table) < coords * 1.001
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
    assert_array_equal(np.sort(decoded.table.species), np.sort(expected.species))


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
    with pytest.raises(InputError, match=r"sites|atoms"):
        representation.encode(triclinic(2, sites=60))
    with pytest.raises(InputError, match="of shape"):
        representation.decode(np.zeros((2, 7)))


@pytest.mark.parametrize("name", GEOMETRY)
def test_a_saved_decoder_does_the_same(name, tmp_path):
    representation, table = ALL[name][0](), triclinic(7)
    arrays = representation.fit(table).encode(table)
    network = representation.decoder_network()
    network.save(tmp_path / "decoder.keras")
    expected = representation.decode(arrays).table
    for decoder in (network, registry.load_model(tmp_path / "decoder.keras"), tf.function(network)):
        found = decoder(arrays)
        assert_array_equal(found["species"], expected.species)
        assert found["species"].dtype == tf.int32
        assert_array_equal(found["mask"], expected.mask)
        assert_allclose(found["lattice"], expected.lattice, rtol=1e-5)
        assert_allclose((found["coords"] - expected.coords + 0.5) % 1, 0.5, atol=2e-6)


def test_what_has_no_geometry_has_no_decoder():
    with pytest.raises(InputError, match="cannot answer in physical units"):
        Composition().fit(triclinic()).decoder_network()


# Rounded to 8 bits, one crystal of carbon gets another primitive cell from pymatgen; the cells as they are match.
OTHER_PRIMITIVE_CELL = {("xtal_image_data", "carbon_24"): 1}


@cache
def real_crystals(collection):
    path = DATA / collection / "train.csv"
    if not path.is_file():
        pytest.skip(f"no {path}")
    table = read_crystals(path, duplicates=True).table
    assert len(table) == {"perov_5": 3787, "carbon_24": 2032}[collection]
    return table


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("collection", ["perov_5", "carbon_24"])
@pytest.mark.parametrize("name", GEOMETRY)
def test_gives_all_real_crystals_back(name, collection):
    """100 % matches of pymatgen's StructureMatcher at the tolerances of CDVAE, and the errors that are promised."""
    table = real_crystals(collection)
    make, lengths, angles, coords = ALL[name]
    representation = make()
    if "origin" in representation.keeps:
        table = from_first_site(table)
    decoded = representation.decode(representation.fit(table).encode(table))
    assert_array_equal(decoded.refused, "")
    table = table.with_sites(decoded.table.species.shape[1])
    errors = np.abs(decoded.table.lattice - table.lattice)
    largest = [errors[:, :3].max(), errors[:, 3:].max(), largest_coordinate_error(decoded.table, table)]
    print(f"{name} on {collection}: {largest[0]:.1e} A, {largest[1]:.1e} degrees, {largest[2]:.1e} of a cell")
    assert (np.array(largest) <= np.array([lengths, angles, coords]) * 1.001).all()
    tolerances = {"ltol": 0.3, "stol": 0.5, "angle_tol": 10}
    pairs = list(zip(decoded.table.structures(), table.structures(), strict=True))
    matcher = StructureMatcher(**tolerances)
    others = [pair for pair in pairs if not matcher.fit(*pair)]
    assert len(others) == OTHER_PRIMITIVE_CELL.get((name, collection), 0)
    as_they_are = StructureMatcher(**tolerances, primitive_cell=False)
    assert all(as_they_are.fit(*pair) for pair in others)
