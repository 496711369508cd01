import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose
from skimage.filters import threshold_otsu

import kmatgen as kg
from kmatgen.data.conditions import otsu_threshold, phase_fraction


def test_phase_fraction_of_each_channel():
    image = np.zeros((4, 4, 2), np.float32)
    image[:1, :, 0], image[:2, :2, 1] = 0.8, 0.6
    assert_allclose(phase_fraction(tf.constant(image), 0.5), [4 / 16, 4 / 16])
    assert_allclose(phase_fraction(tf.constant(image), 0.7), [4 / 16, 0])
    assert_allclose(phase_fraction(tf.ones((2, 2, 2, 1)), 0.5), [1.0])


def test_otsu_of_all_samples_together(rng):
    pixels = np.concatenate([rng.normal(0.3, 0.05, 3000), rng.normal(0.7, 0.05, 1000)]).clip(0, 1).astype(np.float32)
    samples = tf.data.Dataset.from_tensor_slices(pixels.reshape(40, 10, 10, 1))
    assert_allclose(otsu_threshold(samples), threshold_otsu(pixels), atol=1 / 256)


def test_one_grey_level_is_refused():
    with pytest.raises(kg.InputError, match="at least 2 grey levels. Received: 1"):
        otsu_threshold(tf.data.Dataset.from_tensor_slices(np.full((4, 8, 8, 1), 0.5, np.float32)))
