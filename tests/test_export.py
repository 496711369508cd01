import json
import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg
from kmatgen.errors import InputError
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


def test_a_signature_takes_its_own_shapes_alone(tmp_path):
    """A network of dense layers would take four images of a quarter of the size for one."""
    model = compiled(MODELS["gan"])
    model.export(tmp_path / "export")
    score = ServedModel(tmp_path / "export").loaded.signatures["score"]
    assert score(image=tf.constant(images(4)))["score"].shape == (4, 1)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\[4,8,8,1\] is not compatible with .*\[\?,16,16,1\]"):
        score(image=tf.reshape(images(1), (4, 8, 8, 1)))


def test_no_steps_are_no_sample(tmp_path):
    compiled(MODELS["diffusion"]).export(tmp_path / "export")
    sample = ServedModel(tmp_path / "export").loaded.signatures["sample"]
    asked = {"n": tf.constant(1), "seed": tf.constant(0), "condition": tf.constant([0])}
    assert sample(steps=tf.constant(1), **asked)["sample"].shape == (1, 16, 16, 1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="steps is at least 1. Received:.*0"):
        sample(steps=tf.constant(0), **asked)


def test_other_formats_are_a_networks_own(exported):
    model, folder = exported
    with pytest.raises(kg.InputError, match=r"model\.encoder\.export\(path, format='onnx'\)"):
        model.export(folder / "model.onnx", format="onnx")


def test_only_networks_are_stored(exported):
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


def test_an_earlier_export_comes_back_where_the_new_one_cannot_take_its_place(exported, monkeypatch):
    model, folder = exported
    move, moved = os.replace, []

    def refuse_the_new(source, target):
        if Path(target) == folder and Path(source).name == "new":
            raise OSError(13, "Permission denied")
        moved.append(Path(target).name)
        move(source, target)

    monkeypatch.setattr(os, "replace", refuse_the_new)
    with pytest.raises(InputError, match=r"cannot be written: Permission denied. Received: .*export"):
        model.export(folder, manifest={"command": "later"})
    assert moved == ["old", "export"]
    assert read_manifest(folder)["command"] == "by hand"
    assert [path.name for path in folder.parent.iterdir()] == ["export"]
