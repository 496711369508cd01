from dataclasses import replace

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen.errors import InputError
from kmatgen.representations import PointCloud
from kmatgen.representations.active import active_decoder, active_fields, set_decoder
from tests.representations.crystals import perovskites, triclinic


def test_what_varies_in_perovskites():
    table = perovskites(50)
    representation = PointCloud().fit(table)
    arrays = representation.encode(table)
    fields = active_fields(representation, arrays)
    assert fields["lattice"].shape == (50, 1)
    assert_allclose(fields["coords"], arrays["coords"][..., 0])


@pytest.mark.parametrize("table", [perovskites(50), triclinic(50, varying=False)], ids=["cubic", "triclinic"])
def test_decodes_what_the_representation_does(table, tmp_path):
    representation = PointCloud().fit(table)
    arrays = representation.encode(table)
    fields = active_fields(representation, arrays)
    decoder = active_decoder(representation)
    decoder.save(tmp_path / "decoder.keras")
    expected = representation.decode_tensors(arrays, arrays["mask"])
    for network in (decoder, keras.saving.load_model(tmp_path / "decoder.keras")):
        found = network(fields)
        assert set(found) == {"lattice", "species", "coords", "mask"}
        assert_array_equal(found["species"], expected["species"])
        assert_allclose(found["lattice"], expected["lattice"], rtol=1e-6)
        # Coordinates are periodic.
        assert_allclose((found["coords"] - expected["coords"] + 0.5) % 1, 0.5, atol=1e-6)


def test_set_decoder():
    table = triclinic(20)
    representation = PointCloud().fit(table)
    arrays = representation.encode(table)
    sample = {name: values for name, values in arrays.items() if name != "mask"}
    found = set_decoder(representation)({"sample": sample, "condition": {"mask": arrays["mask"]}})
    assert_array_equal(found["species"], representation.decode(arrays).table.species)


def test_one_element_is_no_field():
    table = triclinic(20)
    table = replace(table, species=np.where(table.mask, 6, 0))
    representation = PointCloud().fit(table)
    arrays = representation.encode(table)
    decoder = set_decoder(representation)
    assert set(decoder.input["sample"]) == {"lattice", "coords"}
    sample = {name: arrays[name] for name in ("lattice", "coords")}
    found = decoder({"sample": sample, "condition": {"mask": arrays["mask"]}})
    assert_array_equal(found["species"], representation.decode(arrays).table.species)
    assert_allclose(found["lattice"], table.lattice, rtol=1e-5)


def test_refuses_crystals_of_several_sizes():
    representation = PointCloud().fit(triclinic())
    with pytest.raises(InputError, match=r"Received: from \d+ to \d+ of \d+ sites"):
        active_fields(representation, representation.encode(triclinic()))
