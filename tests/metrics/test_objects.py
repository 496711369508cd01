import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from skimage.draw import disk, ellipse

from kmatgen import InputError
from kmatgen.metrics import find_objects, object_omission


def particles(rng, n, discs, needles, side=80):
    images = np.zeros((n, side, side), int)
    for image in images:
        for _ in range(discs):
            image[disk(rng.integers(8, side - 8, 2), rng.integers(3, 6), shape=image.shape)] = 1
        for _ in range(needles):
            image[ellipse(*rng.integers(12, side - 12, 2), 9, 2, shape=image.shape, rotation=rng.random() * 3)] = 1
    return images


def test_measures():
    image = np.zeros((2, 64, 64), int)
    image[0][disk((20, 20), 10)] = 1
    image[0][ellipse(48, 40, 12, 4)] = 1
    image[1, 2, 2:5] = 1  # fewer pixels than an object has
    image[1, 20:40, 20:24] = image[1, 36:40, 20:40] = 1
    found = find_objects(image, pixel_size=0.5)
    assert_array_equal(found.sample, [0, 0, 1])
    assert_allclose(found.diameter[:2], [0.5 * 20, 0.5 * 2 * np.sqrt(48)], rtol=0.05)
    assert_allclose(found.roundness[:2], [1, 1 / 3], atol=0.04)
    assert found.solidity[0] > 0.9
    assert found.solidity[2] < 0.7


def test_names_what_is_missing(rng):
    real = particles(rng, 25, discs=3, needles=3)
    found = object_omission(real, particles(rng, 25, discs=5, needles=0))
    assert found.missing
    assert all(name.endswith(("elongated", "irregular")) for name in found.missing)
    kinds = {kind.name: kind for kind in found.kinds}
    assert kinds["small round"].ratio > 1.2
    assert kinds[found.missing[0]].high < 0.5
    assert found.roundness_distance > 0.1
    same = object_omission(real, particles(rng, 25, discs=3, needles=3))
    assert same.missing == ()
    assert same.roundness_distance < 0.05
    assert all(kind.low <= kind.ratio <= kind.high for kind in same.kinds)


def test_refuses(rng):
    images = particles(rng, 3, 2, 2)
    with pytest.raises(InputError, match="must be of the same size"):
        object_omission(images, images[:, :40])
    with pytest.raises(InputError, match="at least 2 images of each. Received: 3 and 1"):
        object_omission(images, images[:1])
    specks = np.zeros_like(images)
    specks[:, ::8, ::8] = 1
    with pytest.raises(InputError, match="hold objects of at least 5 pixels. Received: .* 0 in generated"):
        object_omission(images, specks)
    with pytest.raises(InputError, match=r"images \(n, height, width\). Received: shape \(1, 8, 8, 8\)"):
        find_objects(np.ones((1, 8, 8, 8), int))
