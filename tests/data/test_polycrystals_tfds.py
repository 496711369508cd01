import numpy as np
import pytest
import tensorflow_datasets as tfds
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen.data.polycrystals import polycrystal
from kmatgen.data.polycrystals_tfds import Polycrystals, PolycrystalsConfig
from kmatgen.errors import InputError


def examples(builder, split):
    """The examples of a split in the order of their means, which the order on the disk does not have."""
    found = list(tfds.as_numpy(builder.as_dataset(split=split)))
    return sorted(found, key=lambda example: (example["mean_diameter"], example["grain_map"].tobytes()))


@pytest.mark.parametrize("colouring", ["ipf", "boundary"])
def test_examples_are_those_of_polycrystal(tmp_path, monkeypatch, colouring):
    monkeypatch.setattr("kmatgen.data.polycrystals_tfds.CHUNK", 2)
    config = PolycrystalsConfig(name="tiny", colouring=colouring, size=16, train=3, test=2, grain_size=5.0, seed=7)
    builder = Polycrystals(data_dir=tmp_path, config=config)
    builder.download_and_prepare()
    drawn = polycrystal(5, 16, grain_size=5.0, seed=7, colouring=colouring)
    order = {"train": range(3), "test": range(3, 5)}
    for split, indices in order.items():
        means = np.float32([drawn.statistics[i].mean_diameter for i in indices])
        expected = sorted(indices, key=lambda i: (means[i - indices[0]], drawn.grain_map[i].tobytes()))
        found = examples(builder, split)
        assert len(found) == len(expected)
        for example, i in zip(found, expected, strict=True):
            assert example["image"].dtype == np.uint8
            assert_allclose(example["image"] / 255.0, drawn.images[i], atol=0.51 / 255.0)
            assert_array_equal(example["grain_map"], drawn.grain_map[i])
            assert_allclose(example["mean_diameter"], drawn.statistics[i].mean_diameter, rtol=1e-6)
            assert example["number_of_grains"] == drawn.statistics[i].number_of_grains


def test_load_by_name(tmp_path, monkeypatch):
    config = Polycrystals.builder_configs["grey_64"]
    monkeypatch.setattr(config, "train", 2)
    monkeypatch.setattr(config, "test", 1)
    train, info = tfds.load("polycrystals/grey_64", data_dir=tmp_path, split="train", with_info=True)
    assert {name: split.num_examples for name, split in info.splits.items()} == {"train": 2, "test": 1}
    assert info.features["image"].shape == (64, 64, 1)
    assert {str(file.relative_to(tmp_path).parts[0]) for file in tmp_path.rglob("*.tfrecord*")} == {"polycrystals"}
    assert [example["grain_map"].shape for example in tfds.as_numpy(train)] == [(64, 64)] * 2


def test_configs():
    assert sorted(Polycrystals.builder_configs) == ["boundary_64", "grey_64", "ipf_64"]
    for name, config in Polycrystals.builder_configs.items():
        assert (f"{config.colouring}_{config.size}", config.train, config.test) == (name, 1000, 200)


@pytest.mark.parametrize("arguments", [{"train": 0}, {"test": 1.5}, {"spread": 3.0}, {"colouring": "rgb"}, {"size": 2}])
def test_arguments_are_checked(arguments):
    with pytest.raises(InputError, match="Received: "):
        PolycrystalsConfig(name="bad", **arguments)
