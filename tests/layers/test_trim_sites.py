import keras
import numpy as np
from numpy.testing import assert_array_equal

from kmatgen.layers import RestoreSites, TrimSites


def test_trims_and_restores(rng):
    x = rng.normal(size=(2, 5, 3)).astype("float32")
    present = np.array([[1, 0, 0, 0, 0], [1, 1, 1, 0, 0]], np.float32)
    trimmed = TrimSites()(x, present)
    assert_array_equal(trimmed, x[:, :3])
    assert_array_equal(TrimSites()(present, present), present[:, :3])
    assert_array_equal(RestoreSites(5)(trimmed), np.pad(x[:, :3], ((0, 0), (0, 2), (0, 0))))


def test_symbolic_shapes():
    x, present = keras.Input((5, 3)), keras.Input((5,))
    trimmed = TrimSites()(x, present)
    assert tuple(trimmed.shape) == (None, None, 3)
    assert tuple(RestoreSites(5)(trimmed).shape) == (None, 5, 3)
