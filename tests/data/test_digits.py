import gzip

import numpy as np
import pytest
import tensorflow_datasets as tfds
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg
from kmatgen.data.digits import load_digits


def write_idx(folder, images, labels, compress=True):
    opened, suffix = (gzip.open, ".gz") if compress else (open, "")
    for name, magic, array in (("images-idx3", 2051, images), ("labels-idx1", 2049, labels)):
        with opened(folder / f"t10k-{name}-ubyte{suffix}", "wb") as file:
            file.write(np.array([magic, *array.shape], ">u4").tobytes() + array.astype(np.uint8).tobytes())


@pytest.mark.parametrize("compress", [True, False])
def test_idx_files(tmp_path, rng, compress):
    images, labels = rng.integers(0, 255, (3, 28, 28)), np.array([7, 0, 9])
    write_idx(tmp_path, images, labels, compress)
    digits = load_digits(tmp_path, size=28)
    assert_allclose(digits.images[..., 0], images / 255, atol=1e-6)
    assert_array_equal(digits.labels, labels)
    assert load_digits(tmp_path, size=32).images.shape == (3, 32, 32, 1)


def test_idx_files_that_are_not_right(tmp_path, rng):
    with pytest.raises(kg.InputError, match="images-idx3-ubyte"):
        load_digits(tmp_path)
    write_idx(tmp_path, rng.integers(0, 255, (3, 28, 28)), np.array([7, 0]))
    with pytest.raises(kg.InputError, match="Received: 3 images, 2 labels"):
        load_digits(tmp_path)
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(b"\0" * 100))
    with pytest.raises(kg.InputError, match="no complete idx file of images. Received: 100 bytes"):
        load_digits(tmp_path)


def test_tfds():
    with tfds.testing.mock_data(num_examples=4):
        digits = load_digits("tfds")
    assert digits.images.shape == (4, 32, 32, 1)
    assert digits.labels.dtype == np.int32


def test_sklearn():
    pytest.importorskip("sklearn")
    digits = load_digits("sklearn", size=16)
    assert digits.images.shape == (1797, 16, 16, 1)
    assert_array_equal(np.unique(digits.labels), np.arange(10))
