import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen import registry
from kmatgen.errors import InputError
from kmatgen.representations import PointCloud
from kmatgen.representations.site_order import order_sites
from tests.representations.crystals import largest_coordinate_error, perovskites, triclinic

OPTIONS = [
    {},
    {"order": "electronegativity", "elements": "site"},
    {"order": "given", "whiten": "no"},
    {"elements": "any", "bits": True, "sites": 9, "lattice": "lengths"},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("table", [triclinic(), triclinic(varying=False), perovskites()], ids=["any", "same", "ABX3"])
def test_round_trip(table, options):
    representation = PointCloud(**options)
    if options.get("sites"):
        representation = PointCloud(**{**options, "order": "position", "whiten": "feature"})
    arrays = representation.fit(table).encode(table)
    decoded = representation.decode(arrays)
    assert {name: array.dtype for name, array in arrays.items()} == dict.fromkeys(arrays, np.float32)
    assert {name: array.shape[1:] for name, array in arrays.items()} == representation.shapes
    assert_array_equal(decoded.refused, "")
    expected = order_sites(table, representation.order, representation.ranges["prototype"])
    expected = expected.with_sites(representation.sites)
    assert_array_equal(decoded.table.species, expected.species)
    assert_allclose(decoded.table.lattice, expected.lattice, rtol=2e-6)
    assert largest_coordinate_error(decoded.table, expected) < 1e-6


def test_whitened_per_site_without_constants():
    table = perovskites(200)
    representation = PointCloud().fit(table)
    assert (representation.order, representation.whiten) == ("role", "site")
    arrays = representation.encode(table)
    for name in PointCloud.FIELDS:
        active = representation.active[name] > 0
        assert_allclose(arrays[name].mean(axis=0), 0, atol=1e-5)
        assert_allclose(arrays[name].std(axis=0), active, atol=1e-5)
    assert representation.active["lattice"].sum() == 1  # cubic: one length
    assert_array_equal(representation.active["coords"], [[1, 0, 0]] * 5)
    noise = {name: array + (1 - representation.active[name]) for name, array in arrays.items() if name != "mask"}
    decoded = representation.decode({**noise, "mask": arrays["mask"]}).table
    assert_array_equal(decoded.lattice[:, 3:], 90)
    assert_allclose(decoded.lattice[:, 1], table.lattice[:, 0], rtol=1e-6)
    assert_array_equal(decoded.coords[:, 1, 1:], 0.5)


def test_whitened_over_sites():
    table = triclinic(200)
    representation = PointCloud().fit(table)
    assert (representation.order, representation.whiten) == ("position", "feature")
    arrays = representation.encode(table)
    here = arrays["mask"] > 0
    assert_allclose(arrays["species"][here].mean(axis=0), 0, atol=1e-5)
    assert_allclose(arrays["species"][here].std(axis=0), representation.active["species"][0], atol=1e-5)
    assert_array_equal(arrays["species"][~here], 0)
    assert_array_equal(arrays["coords"][~here], 0)
    assert_allclose(np.cov(arrays["lattice"].T, bias=True), np.eye(6), atol=1e-4)
    # A step of one period changes nothing.
    moved = {**arrays, "coords": arrays["coords"] + representation.period * arrays["mask"][..., None]}
    assert largest_coordinate_error(representation.decode(moved).table, representation.decode(arrays).table) < 1e-5


def test_lattice_values_by_hand():
    table = perovskites(1)
    arrays = PointCloud(order="given", whiten="no").fit(table).encode(table)
    assert_allclose(arrays["lattice"][0], [np.log(table.lattice[0, 0] / 5 ** (1 / 3))] * 3 + [0] * 3, atol=1e-6)
    assert_allclose(arrays["coords"][0], 4 * ((table.coords[0] + 0.25) % 1 - 0.5), atol=1e-6)


@pytest.mark.parametrize(("elements", "expected"), [("seen", 22), ("site", 20), ("any", 22)])
def test_nearest_element_among_the_allowed(elements, expected):
    table = perovskites(100)
    representation = PointCloud(whiten="no", elements=elements).fit(table)
    arrays = representation.encode(table[:1])
    codes = dict(zip(representation.constants["numbers"], representation.constants["codes"], strict=True))
    # Nearer to titanium, which no training crystal has on the first site.
    arrays["species"][0, 0] = 0.4 * codes[20] + 0.6 * codes[22]
    if elements == "any":
        arrays["species"][0, 0] = codes[22] + 0.1 * (codes[23] - codes[22])
    assert representation.decode(arrays).table.species[0, 0] == expected


def test_config_is_json_and_complete():
    table = triclinic()
    representation = PointCloud(bits=True).fit(table)
    again = registry.get("representation", json.loads(json.dumps(keras.saving.serialize_keras_object(representation))))
    for name, array in representation.encode(table).items():
        assert_array_equal(again.encode(table)[name], array)
    assert again.get_config() == representation.get_config()


def test_bad_rows_are_refused_and_the_others_go_on():
    table = triclinic(30)
    representation = PointCloud(lattice="lengths").fit(table)
    arrays = representation.encode(table[:5])
    arrays["species"][0, 0, 0] = np.nan
    arrays["mask"][1] = 0
    arrays["lattice"][2] = 1e4
    axes, scale = representation.constants["lattice_axes"], representation.constants["lattice_scale"]
    arrays["lattice"][3] = np.array([0, 0, 0, 8, 8, 8]) @ axes / scale  # about 170 degrees each
    decoded = representation.decode(arrays)
    expected = [
        "numbers that are not finite",
        "no sites",
        "numbers that are not finite",
        "angles that fit no cell",
        "",
    ]
    assert decoded.refused.tolist() == expected
    assert_array_equal(decoded.rows, [4])
    assert decoded.table.origin.tolist() == ["row 4"]
    everything = {name: np.full_like(array, np.nan) for name, array in arrays.items()}
    assert len(representation.decode(everything).table) == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: PointCloud(order="random"), "order is one of"),
        (lambda: PointCloud(lattice="vectors"), "lattice is one of"),
        (lambda: PointCloud(sites=0), "at least 1 site"),
        (lambda: PointCloud().encode(triclinic()), "call fit"),
        (lambda: PointCloud().fit(triclinic()[:0]), "empty table"),
        (lambda: PointCloud(order="role").fit(triclinic()), "same number of sites"),
        (lambda: PointCloud(order="position", whiten="site").fit(triclinic()), "same number of sites"),
        (lambda: PointCloud().fit(triclinic()).encode(triclinic(elements=(26,))), "atomic number 26"),
        (lambda: PointCloud().fit(triclinic()).encode(triclinic(sites=9)), "sites"),
        (lambda: PointCloud().fit(triclinic()).decode({"lattice": np.zeros((2, 6))}), "of shape"),
    ],
)
def test_what_the_user_can_mend(wrong, message):
    with pytest.raises(InputError, match=message):
        wrong()


def test_decoder_network_in_a_file_and_in_a_saved_model(tmp_path):
    table = triclinic()
    representation = PointCloud().fit(table)
    arrays = representation.encode(table)
    expected = representation.decode(arrays).table
    keras.config.set_dtype_policy("mixed_float16")
    network = representation.decoder_network()
    network.save(tmp_path / "decoder.keras")
    outputs = keras.saving.load_model(tmp_path / "decoder.keras")(arrays)
    assert_allclose(outputs["lattice"], expected.lattice, rtol=1e-6)
    assert_array_equal(outputs["species"], expected.species)
    assert outputs["species"].dtype == tf.int32

    module = tf.Module()
    specs = {name: tf.TensorSpec((None, *shape), name=name) for name, shape in representation.shapes.items()}
    module.decode = tf.function(
        lambda fields: representation.decode_tensors(fields, fields["mask"]), input_signature=[specs]
    )
    tf.saved_model.save(module, str(tmp_path / "saved"))
    served = tf.saved_model.load(str(tmp_path / "saved")).decode(arrays)
    assert_allclose(served["coords"], expected.coords, atol=1e-6)
    assert_array_equal(served["mask"], expected.mask)


def test_coordinates_stay_below_one():
    table = perovskites(10)
    representation = PointCloud(order="given", whiten="no").fit(table)
    arrays = representation.encode(table)
    arrays["coords"][:] = np.nextafter(np.float32(-1), np.float32(-2))  # fractional, just below 0
    coords = representation.decode_tensors(arrays, arrays["mask"])["coords"].numpy()
    assert coords.max() < 1
    assert coords.min() >= 0


def test_mask_and_counts():
    table = triclinic(30)
    representation = PointCloud().fit(table)
    assert_array_equal(representation.mask(table.n_sites), table.mask)
    assert_array_equal(representation.site_counts, np.bincount(table.n_sites))
