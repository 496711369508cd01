import numpy as np
import pytest
from numpy.testing import assert_allclose

import kmatgen as kg
from kmatgen.layers import TimeEmbedding


def test_numbers():
    """Frequencies 1 and 1000 for four numbers."""
    found = TimeEmbedding(4)(np.array([0.0, 0.5], np.float32))
    expected = [[0, 0, 1, 1], [np.sin(0.5), np.sin(500), np.cos(0.5), np.cos(500)]]
    assert_allclose(found, expected, atol=1e-4)


def test_refuses_odd_sizes():
    with pytest.raises(kg.InputError, match=r"even.*Received: 5"):
        TimeEmbedding(5)


def test_close_times_differ_in_half_precision():
    first, second = TimeEmbedding(64, dtype="mixed_float16")(np.array([0.9, 0.901], np.float32)).numpy()
    assert np.abs(first - second).max() > 0.5
