import numpy as np
from numpy.testing import assert_allclose

from kmatgen.layers import ModulatedNormalization


def test_starts_as_plain_normalisation(rng):
    x, vector = rng.normal(2, 3, (2, 5, 4)).astype("float32"), rng.normal(size=(2, 3)).astype("float32")
    found = np.asarray(ModulatedNormalization()(x, vector))
    assert_allclose(found.mean(-1), np.zeros((2, 5)), atol=1e-6)
    assert_allclose(found.std(-1), np.ones((2, 5)), rtol=1e-4)


def test_scale_and_shift(rng):
    x, vector = rng.normal(size=(2, 4)).astype("float32"), np.ones((2, 1), np.float32)
    layer = ModulatedNormalization()
    plain = np.asarray(layer(x, vector))
    layer.affine.set_weights([np.array([[1, 1, 1, 1, 5, 6, 7, 8]], np.float32), np.zeros(8, np.float32)])
    assert_allclose(layer(x, vector), 2 * plain + [5, 6, 7, 8], rtol=1e-5)


def test_half_precision_statistics(rng):
    """A mean far from 0 must not swallow the differences."""
    x, vector = (rng.normal(size=(1, 64)) + 100).astype("float16"), np.ones((1, 1), np.float16)
    found = ModulatedNormalization(dtype="mixed_float16")(x, vector)
    wide = x.astype("float64")
    assert_allclose(found, (wide - wide.mean()) / wide.std(), atol=3e-3)
