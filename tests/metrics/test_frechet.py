import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import sqrtm

from kmatgen import InputError
from kmatgen.metrics import FewSamplesWarning, frechet_distance

few = pytest.mark.filterwarnings("ignore::kmatgen.metrics.FewSamplesWarning")


def by_root(x, y):
    c1, c2 = np.cov(x.T), np.cov(y.T)
    return np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(c1 + c2 - 2 * sqrtm(c1 @ c2)).real


@few
@pytest.mark.parametrize("counts", [(60, 80), (60, 15), (12, 9)])
def test_agrees_with_the_matrix_root(rng, counts):
    mix = rng.normal(size=(10, 10))
    x, y = rng.normal(size=(counts[0], 10)) @ mix, rng.normal(0.3, 2, size=(counts[1], 10))
    assert_allclose(frechet_distance(x, y), by_root(x, y), rtol=1e-6)


def test_closed_form_of_independent_features(rng):
    x = rng.normal(size=(20_000, 2)) * [1, 3]
    y = rng.normal(size=(20_000, 2)) * [2, 3] + [0, 1]
    assert_allclose(frechet_distance(x, y), (1 - 2) ** 2 + (3 - 3) ** 2 + 1, rtol=0.05)
    assert_allclose(frechet_distance(x, x), 0, atol=1e-9)


def test_warns_of_few_samples(rng):
    x = rng.normal(size=(300, 4))
    with pytest.warns(FewSamplesWarning, match="of 300 samples is biased upwards; use at least 2048"):
        frechet_distance(x, x)


def test_refuses(rng):
    with pytest.raises(InputError, match="generated must hold at least 2 samples. Received: 1"):
        frechet_distance(rng.normal(size=(5, 3)), rng.normal(size=(1, 3)))
