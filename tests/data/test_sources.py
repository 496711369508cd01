import hashlib

import numpy as np
import pytest
import tensorflow_datasets as tfds
from numpy.testing import assert_allclose, assert_array_equal
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
    images = kg.data.polycrystal(20, 16, grain_size=(5.0, 8.0), elongation=(1.0, 1.5), seed=3).images
    assert source.description["content_hash"] == hashlib.sha256(images.tobytes()).hexdigest()


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


def test_tfds_with_classes():
    with tfds.testing.mock_data(num_examples=5):
        source = open_source(settings(**{"data.source": "tfds:mnist", "data.condition": "class"}), seed=0)
    assert source.facts == {"condition": {"classes": 10}, "classes": 10}
    assert source.test_condition.shape == (len(source.test),)
    assert source.train.element_spec[1].shape == ()


def test_digits_with_classes():
    source = open_source(settings(**{"data.source": "digits:sklearn", "data.condition": "class"}), seed=0)
    assert source.facts["classes"] == 10
    assert source.sample_shape == (16, 16, 1)
    labels = [int(label) for _, label in source.train.as_numpy_iterator()]
    assert len(labels) + len(source.test_condition) == 1797
    assert set(labels) == set(range(10))
    assert open_source(settings(**{"data.source": "digits:sklearn"}), seed=0).condition is None


def test_many_patches_are_crops_at_random_places(tmp_path):
    for index in range(10):
        Image.fromarray(np.full((64, 64), 20 * index, np.uint8)).save(tmp_path / f"{index}.png")
    paths = {"data.source": str(tmp_path), "data.test_fraction": 0.3}
    tiles = open_source(settings(**paths), seed=0)
    assert tiles.repeats
    assert int(tiles.train.cardinality()) == 7 * 16
    crops = open_source(settings(**paths, **{"data.micrographs.most_patches": 50}), seed=0)
    assert not crops.repeats
    assert int(crops.train.cardinality()) == len(crops.train_groups) == 7 * 7
    few = open_source(settings(**paths, **{"data.micrographs.most_patches": 2}), seed=0)
    assert int(few.train.cardinality()) == 7
    # What was chosen goes before.
    for choice, count in (({"data.micrographs.stride": 8}, 7 * 49), ({"data.micrographs.per_image": 5}, 7 * 5)):
        chosen = settings(**paths, **choice, **{"data.micrographs.most_patches": 50})
        assert int(open_source(chosen, seed=0).train.cardinality()) == count


def test_held_out_patches_are_of_all_images_from_the_first(tmp_path):
    for index in range(10):
        Image.fromarray(np.full((64, 64), 20 * index, np.uint8)).save(tmp_path / f"{index}.png")
    source = open_source(settings(**{"data.source": str(tmp_path), "data.test_fraction": 0.3}), seed=0)
    assert len({float(patch.max()) for patch in source.test[:16]}) == 3
    levels = {(group, float(patch.max())) for group, patch in zip(source.test_groups, source.test, strict=True)}
    assert len(levels) == 3


def test_phases_with_their_fractions():
    paths = {"data.source": "phases", "data.condition": "phase_fraction", "data.phases.n": 20, "data.size": 16}
    source = open_source(settings(**paths), seed=0)
    assert source.facts == {"condition": {"size": 1}, "threshold": 0.5}
    assert_allclose(source.test_condition, source.test.mean((1, 2)))
    for image, fraction in source.train.take(3).as_numpy_iterator():
        assert_allclose(fraction, image.mean((0, 1)))
    examples = source.example_condition(5)
    assert examples.shape == (5, 1)
    assert (np.diff(examples[:, 0]) >= 0).all()


def test_volumes():
    paths = {"data.source": "phases", "data.phases.n": 4, "data.phases.dimensions": 3, "data.size": 16}
    source = open_source(settings(**paths, **{"data.phases.fractions": [[0.1, 0.2], [0.3, 0.4]]}), seed=0)
    assert source.sample_shape == (16, 16, 16, 3)


def test_phase_fractions_of_micrographs(tmp_path, rng):
    for index in range(5):
        dark, bright = rng.normal(60, 5, (32, 32)), rng.normal(190, 5, (32, 32))
        pixels = np.where(np.arange(32)[:, None] < 4 * index + 8, bright, dark)
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"{index}.png")
    paths = {"data.source": str(tmp_path), "data.condition": "phase_fraction", "data.size": 32}
    source = open_source(settings(**paths, **{"data.micrographs.per_image": 1}), seed=0)
    assert 80 / 255 > source.threshold > 70 / 255
    assert source.description["phase_threshold"] == source.threshold
    found = {float(fraction[0]) for _, fraction in source.train.as_numpy_iterator()} | {
        *map(float, source.test_condition[:, 0])
    }
    assert found == {(4 * index + 8) / 32 for index in range(5)}
    fixed = open_source(settings(**paths, **{"data.phase_threshold": 0.9}), seed=0)
    assert_array_equal(fixed.test_condition, 0.0)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("class", "needs data with classes: digits, tfds:NAME, or micrographs .*Received: polycrystal"),
        ("colour", "data.condition is null, class or phase_fraction. Received: 'colour'"),
        ("phase_fraction", "measured in grey images; use --channels 1.*Received: 3 channels"),
    ],
)
def test_bad_conditions(condition, message):
    with pytest.raises(kg.InputError, match=message):
        open_source(settings(**{"data.condition": condition}), seed=0)


@pytest.mark.parametrize(
    ("path", "value"), [("data.test_fraction", 0.0), ("data.test_fraction", 1.0), ("data.phase_threshold", 1.5)]
)
def test_bad_settings(path, value):
    with pytest.raises(kg.InputError, match=f"Received: {value}"):
        open_source(settings(**{path: value}), seed=0)


def test_too_few_images(tmp_path):
    with pytest.raises(kg.InputError, match="at least 2 images. Received: 1 from polycrystal"):
        open_source(settings(**{"data.polycrystal.n": 1}), seed=0)
    for name in ("one.png", "copy.png"):
        Image.fromarray(np.zeros((32, 32), np.uint8)).save(tmp_path / name)
    with pytest.raises(kg.InputError, match="at least 2 are needed; .* Received: 1 usable"):
        open_source(settings(**{"data.source": str(tmp_path)}), seed=0)


def test_data_that_do_not_exist():
    with pytest.raises(kg.InputError, match=r"a csv table of crystals\. Received: nope\.csv, which does not exist"):
        open_source(settings(**{"data.source": "nope.csv"}), seed=0)
