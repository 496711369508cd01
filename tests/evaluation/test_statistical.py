import numpy as np
from numpy.testing import assert_allclose

from kmatgen.evaluation.statistical import patterns
from kmatgen.evaluation.view import Eye, Settings, View


def patterns_of(samples):
    samples = samples.astype(np.float32)
    return patterns(View(samples, Eye(Settings(), samples)))


def test_patterns_keep_neither_brightness_nor_contrast(rng):
    samples = rng.random((5, 8, 8, 1))
    found = patterns_of(samples)
    assert_allclose(found.mean(axis=1), np.zeros(5), atol=1e-12)
    assert_allclose(found.var(axis=1), np.ones(5))
    assert_allclose(patterns_of(0.3 * samples + 0.5), found, atol=1e-5)


def test_a_constant_sample_has_no_pattern():
    assert_allclose(patterns_of(np.full((2, 4, 4, 3), 0.7)), np.zeros((2, 48)), atol=1e-3)
