import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from skimage.metrics import structural_similarity

from kmatgen import InputError
from kmatgen.metrics import mode_coverage, ms_ssim_diversity


def test_of_small_images_is_the_single_scale(rng):
    images = rng.random((2, 16, 16, 1), np.float32)
    images[1] = (images[0] + images[1]) / 2
    alike = structural_similarity(
        *images[..., 0], data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )[1]
    # The reference pads, this does not: compare where the window of 11 lies inside.
    assert_allclose(ms_ssim_diversity(images, pairs=3), 1 - alike[5:-5, 5:-5].mean(), rtol=1e-4)


def test_bounds(rng):
    images = rng.random((10, 48, 48, 3), np.float32)
    assert_allclose(ms_ssim_diversity(images[:1].repeat(4, axis=0)), 0.0, atol=1e-6)
    assert 0.9 < ms_ssim_diversity(images, pairs=50) <= 1.0
    half = np.concatenate([images[:1].repeat(5, axis=0), images[5:]])
    assert ms_ssim_diversity(half, pairs=200) < 0.9 * ms_ssim_diversity(images, pairs=200)


def test_modes():
    found = mode_coverage(["a", "b", "b", "c"], ["a", "b", "b", "b"])
    assert_array_equal(found.classes, ["a", "b", "c"])
    assert_allclose(found.real, [0.25, 0.5, 0.25])
    assert_allclose(found.generated, [0.25, 0.75, 0])
    assert_array_equal(found.covered, [True, True, False])
    assert_allclose(found.divergence, 0.75 * np.log(1.5))
    assert mode_coverage([0, 1], [1, 0]).divergence == 0.0
    assert_array_equal(mode_coverage([0, 1], [0] * 99 + [1], least=0.02).covered, [True, True])


def test_refuses(rng):
    with pytest.raises(InputError, match="sides of at least 11 pixels"):
        ms_ssim_diversity(rng.random((4, 8, 8, 1)))
    with pytest.raises(InputError, match="at least 2 samples. Received: 1"):
        ms_ssim_diversity(rng.random((1, 16, 16, 1)))
    with pytest.raises(InputError, match=r"must be among \[0, 1\]. Received: \[2\]"):
        mode_coverage([0, 1], [0, 2])
    with pytest.raises(InputError, match="labels of real and of generated"):
        mode_coverage([0, 1], [])
