import pytest
from numpy.testing import assert_allclose

from kmatgen import InputError
from kmatgen.metrics import wasserstein


def test_how_far_values_move():
    assert_allclose(wasserstein([0, 1, 3], [5, 6, 8]), 5.0)
    assert_allclose(wasserstein([0.0, 1.0], [0.5]), 0.5)
    assert wasserstein([2, 1], [1, 2, 1, 2]) == 0.0
    assert_allclose(wasserstein([0, 1], [0, 1], real_weights=[3, 1]), 0.25)


def test_refuses():
    with pytest.raises(InputError, match="generated must hold at least 1 samples. Received: 0"):
        wasserstein([1.0], [])
    with pytest.raises(InputError, match="real must be finite"):
        wasserstein([float("nan"), 1.0], [1.0])
    with pytest.raises(InputError, match="generated_weights must be 2 numbers of at least 0"):
        wasserstein([1.0], [1.0, 2.0], generated_weights=[1.0])
