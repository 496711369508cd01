import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

import kmatgen as kg
from kmatgen.data import find_micrographs
from kmatgen.data.kinds import Kinds, kinds_of
from kmatgen.data.patches import patch_owners
from kmatgen.data.sources import open_source
from kmatgen.presets import resolve


@pytest.fixture
def folder(tmp_path):
    """Four dark images in `dark`, two bright ones in `bright`; the grey value of each is its own."""
    for kind, values in {"dark": (10, 20, 30, 40), "bright": (200, 220)}.items():
        (tmp_path / kind).mkdir()
        for value in values:
            pixels = np.full((16, 48), value, np.uint8)
            pixels[0, 0] = 255 - value  # no constant image
            Image.fromarray(pixels).save(tmp_path / kind / f"{value}.png")
    return tmp_path


def data_of(folder, **changes):
    """The data part of a configuration of images of 16 pixels by class."""
    settings = {"data.source": str(folder), "data.size": 16, "data.condition": "class", "data.test_fraction": 0.3}
    return resolve("vae", {**settings, **changes})["data"]


def test_kinds_are_subfolders(folder):
    assert kinds_of([folder / "dark" / "deep" / "10.png", folder / "10.png"], folder) == ["dark", None]


def test_kinds_are_a_column_of_the_table(folder):
    (folder / "metadata.csv").write_text("path,kind\n10.png,ferrite\n20.png,\n")
    assert kinds_of([folder / "dark" / name for name in ("10.png", "20.png")], folder, "kind") == ["ferrite", None]


def test_every_class_is_on_both_sides_and_images_are_not(folder):
    files = find_micrographs(folder)
    kinds = Kinds(files)
    train, test = kinds.split(files, 0.3, seed=0)
    assert kinds.names == ["bright", "dark"]
    assert (len(train), len(test)) == (4, 2)
    assert not {file.path for file in train} & {file.path for file in test}
    for part in (train, test):
        labels = kinds.labels(part, patch_owners(part, 16))
        assert_array_equal(np.bincount(labels), [3, 3 * (len(part) - 1)])


def test_patches_come_with_their_class(folder):
    for changes in ({}, {"data.micrographs.per_image": 2}):
        source = open_source(data_of(folder, **changes), seed=0)
        samples, labels = map(np.stack, zip(*source.train.as_numpy_iterator(), strict=True))
        assert_array_equal(labels, (np.median(samples, axis=(1, 2, 3)) < 0.5).astype(int))
        assert_array_equal(source.test_condition, (np.median(source.test, axis=(1, 2, 3)) < 0.5).astype(int))
        assert source.condition == {"classes": 2}
        assert source.description["class_names"] == ["bright", "dark"]
        assert (len(source.train_groups), len(source.test_groups)) == (len(samples), len(source.test))


def test_a_class_of_one_image_is_learnt_and_not_held_out(folder):
    (folder / "bright" / "200.png").unlink()
    source = open_source(data_of(folder), seed=0)
    assert set(source.test_condition) == {1}
    assert {int(label) for _, label in source.train.as_numpy_iterator()} == {0, 1}


@pytest.mark.parametrize(
    ("table", "column", "message"),
    [
        ("10.png,ferrite", "phase", r"one of path, kind\. Received: 'phase'"),
        ("10.png,ferrite", "kind", r"with a class in column 'kind'.*Received: .*200\.png\."),
        ("\n".join(f"{n}.png,ferrite" for n in (10, 20, 30, 40, 200, 220)), "kind", r"Received: ferrite alone\."),
        ("\n".join(f"{n}.png,{n}" for n in (10, 20, 30, 40, 200, 220)), "kind", r"Received: 6 classes of one image"),
    ],
)
def test_columns_that_name_no_classes(table, column, message, folder):
    (folder / "metadata.csv").write_text(f"path,kind\n{table}\n")
    with pytest.raises(kg.InputError, match=message):
        open_source(data_of(folder, **{"data.micrographs.class_column": column}), seed=0)


def test_an_image_beside_the_subfolders_has_no_class(folder):
    Image.fromarray(np.eye(16, dtype=np.uint8) * 255).save(folder / "5.png")
    with pytest.raises(kg.InputError, match=r"in a subfolder for each class.*Received: .*5\.png\."):
        open_source(data_of(folder), seed=0)
