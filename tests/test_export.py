import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg
from kmatgen.export import ServedModel, read_manifest
from tests.tiny_models import MODELS, compiled, images


@pytest.fixture
def exported(tmp_path):
    model = compiled(MODELS["vae"])
    model.export(tmp_path / "export", manifest={"pixel_size_um": 0.25, "command": "by hand"})
    return model, tmp_path / "export"


def test_manifest(exported):
    model, folder = exported
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["model"] == "VAE"
    assert manifest["parameters"] == model.count_params()
    assert manifest["pixel_size_um"] == 0.25
    assert manifest["signatures"]["sample"] == {"n": ["int32", []], "seed": ["int32", []]}
    assert {"kmatgen", "keras", "tensorflow", "seed", "steps", "created"} <= set(manifest)
    assert read_manifest(folder) == manifest
    assert read_manifest(folder.parent) == {}


def test_signatures_answer_as_the_model_does(exported):
    model, folder = exported
    loaded = ServedModel(folder).loaded
    data = images(3)
    latent = model.encode(data)
    assert_allclose(loaded.signatures["encode"](image=data)["mean"], latent, atol=1e-5)
    assert_allclose(loaded.signatures["reconstruct"](image=data)["sample"], model.reconstruct(data), atol=1e-5)
    assert_allclose(loaded.signatures["serving_default"](latent=latent)["sample"], model.decode(latent), atol=1e-5)


def test_served_samples(exported):
    model, folder = exported
    served = ServedModel(folder)
    assert_allclose(served.generate(5, seed=2), model.generate(5, seed=2), atol=1e-5)
    many = served.generate(10, seed=2, batch_size=4)
    assert many.shape == (10, 16, 16, 1)
    assert_array_equal(many, served.generate(10, seed=2, batch_size=4))
    assert np.abs(many[:4] - many[4:8]).max() > 1e-4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "at least 1. Received: n=0"),
        ({"n": 2.0}, "whole number of samples.*Received: n=2.0"),
        ({"n": 2, "seed": 2**40}, "A seed is a whole number"),
        ({"n": 2, "batch_size": 0}, "batch_size is a whole number of at least 1. Received: 0"),
        ({"n": 2, "steps": 0}, "steps is a whole number of at least 1. Received: 0"),
    ],
)
def test_requests_that_cannot_be_served(exported, arguments, message):
    with pytest.raises(kg.InputError, match=message):
        ServedModel(exported[1]).generate(**arguments)


def test_seeds_below_zero_and_seeds_that_are_drawn(exported):
    served = ServedModel(exported[1])
    assert_array_equal(served.generate(5, seed=-3, batch_size=2), served.generate(5, seed=-3, batch_size=2))
    assert np.abs(served.generate(2, seed=None) - served.generate(2, seed=None)).max() > 1e-4


def test_only_networks_are_stored(exported):
    import tensorflow as tf

    model, folder = exported
    shapes = [
        shape for name, shape in tf.train.list_variables(str(folder / "variables" / "variables")) if "weights" in name
    ]
    assert sum(int(np.prod(shape)) for shape in shapes) == model.count_params()


def test_an_earlier_export_is_replaced_and_anything_else_is_not(exported, tmp_path):
    model, folder = exported
    model.export(folder)
    assert "pixel_size_um" not in read_manifest(folder)
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years")
    with pytest.raises(kg.InputError, match=r"Received: .*precious, which holds something else"):
        model.export(precious)
    assert (precious / "thesis.txt").read_text() == "years"


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(kg.InputError, match=r"cannot be written: File exists"):
        compiled(MODELS["vae"]).export(tmp_path / "file" / "export")


def test_served_model_refuses(tmp_path):
    with pytest.raises(kg.InputError, match=r"saved_model\.pb"):
        ServedModel(tmp_path)
    compiled(MODELS["autoencoder"]).export(tmp_path / "export")
    with pytest.raises(kg.InputError, match="'sample' signature"):
        ServedModel(tmp_path / "export")


def test_only_some_models_have_steps(exported):
    _, folder = exported
    with pytest.raises(kg.InputError, match="Received: steps=5"):
        ServedModel(folder).generate(2, steps=5)
