import numpy as np
import pytest
from numpy.testing import assert_allclose

from kmatgen.diffusion.targets import TARGETS, clean_of, min_snr_weight, noise_of, target_of


@pytest.mark.parametrize("target", TARGETS)
def test_a_right_prediction_gives_the_clean_sample_and_the_noise_back(target, rng):
    clean, noise = rng.normal(size=(2, 5)).astype(np.float32)
    alpha, sigma = np.float32(0.6), np.float32(0.8)
    noisy = alpha * clean + sigma * noise
    found = clean_of(target, target_of(target, clean, noise, alpha, sigma), noisy, alpha, sigma)
    assert_allclose(found, clean, atol=1e-6)
    assert_allclose(noise_of(noisy, found, alpha, sigma), noise, atol=1e-6)


def test_min_snr_weights():
    snr = np.array([0.1, 5.0, 50.0], np.float32)
    assert_allclose(min_snr_weight("noise", snr), [1.0, 1.0, 0.1], rtol=1e-6)
    assert_allclose(min_snr_weight("sample", snr), [0.1, 5.0, 5.0], rtol=1e-6)
    assert_allclose(min_snr_weight("velocity", snr), [0.1 / 1.1, 5 / 6, 5 / 51], rtol=1e-6)
