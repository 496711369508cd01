import numpy as np
import pytest
from numpy.testing import assert_allclose

import kmatgen as kg
from kmatgen.layers import PeriodicDifferences


def test_numbers():
    coords = np.array([[[0.1, 0.2, 0.3], [0.35, 0.2, 0.8]]], np.float32)
    found = np.asarray(PeriodicDifferences(2)(coords))
    assert found.shape == (1, 2, 2, 12)
    # Axis by axis: sin k=1, sin k=2, cos k=1, cos k=2 of the differences 1/4, 0 and 1/2.
    expected = [1, 0, 0, -1, 0, 0, 1, 1, 0, 0, -1, 1]
    assert_allclose(found[0, 0, 1], expected, atol=1e-5)


def test_periodic_and_the_same_everywhere(rng):
    coords = rng.random((1, 4, 3)).astype("float32")
    layer = PeriodicDifferences()
    moved = (coords + rng.random(3)).astype("float32") % 1
    assert_allclose(layer(moved), layer(coords), atol=1e-4)


def test_refuses_no_frequencies():
    with pytest.raises(kg.InputError, match="Received: 0"):
        PeriodicDifferences(0)
