import numpy as np
import pytest
import tensorflow_datasets as tfds
from numpy.testing import assert_array_equal
from PIL import Image

import kmatgen as kg
from kmatgen.data.sources import open_source
from kmatgen.presets import resolve


def settings(**more):
    paths = {"data.size": 16, "data.polycrystal.n": 20, "data.polycrystal.grain_size": [5.0, 8.0], **more}
    return resolve("vae", paths)["data"]


def test_polycrystals():
    source = open_source(settings(), seed=3)
    assert source.sample_shape == (16, 16, 3)
    assert (int(source.train.cardinality()), len(source.test)) == (18, 2)
    again = open_source(settings(), seed=3)
    assert_array_equal(source.test, again.test)
    assert source.description["content_hash"] == again.description["content_hash"]
    assert source.description["content_hash"] != open_source(settings(), seed=4).description["content_hash"]
    assert 4.5 < source.description["measured_mean_diameter_px"] < 8.5


def test_micrographs_are_split_by_file(tmp_path):
    for index in range(10):
        Image.fromarray(np.full((32, 32), 20 * index, np.uint8)).save(tmp_path / f"{index}.png")
    source = open_source(settings(**{"data.source": str(tmp_path), "data.test_fraction": 0.3}), seed=0)
    train_levels = {float(patch.max()) for patch in source.train.as_numpy_iterator()}
    test_levels = {float(patch.max()) for patch in source.test}
    assert len(train_levels) == 7
    assert len(test_levels) == 3
    assert not train_levels & test_levels
    assert source.description["train_patches"] == 28
    assert source.description["files"] == 10


def test_tfds():
    with tfds.testing.mock_data(num_examples=5):
        source = open_source(settings(**{"data.source": "tfds:mnist"}), seed=0)
    assert source.sample_shape == (16, 16, 1)


@pytest.mark.parametrize(("path", "value"), [("data.test_fraction", 0.0), ("data.test_fraction", 1.0)])
def test_bad_settings(path, value):
    with pytest.raises(kg.InputError, match=f"Received: {value}"):
        open_source(settings(**{path: value}), seed=0)


def test_too_few_images(tmp_path):
    with pytest.raises(kg.InputError, match=r"Received: data.polycrystal.n=1"):
        open_source(settings(**{"data.polycrystal.n": 1}), seed=0)
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(tmp_path / "one.png")
    with pytest.raises(kg.InputError, match="at least 2 are needed. Received: 1"):
        open_source(settings(**{"data.source": str(tmp_path)}), seed=0)
