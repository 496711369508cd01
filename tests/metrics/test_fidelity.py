import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist

from kmatgen import InputError
from kmatgen.metrics import prdc


def by_definition(real, generated, k):
    def reach(x):
        return np.sort(cdist(x, x), axis=1)[:, k]

    distances = cdist(real, generated)
    inside = distances < reach(real)[:, None]
    return (
        inside.any(axis=0).mean(),
        (distances < reach(generated)).any(axis=1).mean(),
        inside.sum(axis=0).mean() / k,
        inside.any(axis=1).mean(),
    )


@pytest.mark.parametrize("k", [1, 5])
def test_agrees_with_the_definition(rng, k):
    real, generated = rng.normal(size=(70, 4)), rng.normal(0.7, 0.8, size=(50, 4))
    assert_allclose(prdc(real, generated, k), by_definition(real, generated, k))


def test_blocks_change_nothing(rng, monkeypatch):
    real, generated = rng.normal(size=(300, 4)), rng.normal(0.7, 0.8, size=(200, 4))
    whole = prdc(real, generated)
    monkeypatch.setattr("kmatgen.metrics.fidelity._WORKING_MEMORY", 0.02)
    assert prdc(real, generated) == whole


def test_tells_fidelity_from_diversity(rng):
    real = np.concatenate([rng.normal(-5, 1, size=(100, 2)), rng.normal(5, 1, size=(100, 2))])
    one_mode = rng.normal(5, 1, size=(200, 2))
    found = prdc(real, one_mode)
    assert found.precision > 0.9
    assert found.recall < 0.6
    assert found.coverage < 0.55
    assert prdc(real, real + 100.0) == (0.0, 0.0, 0.0, 0.0)


def test_refuses(rng):
    with pytest.raises(InputError, match="real must hold at least 6 samples. Received: 5"):
        prdc(rng.normal(size=(5, 3)), rng.normal(size=(10, 3)))
    with pytest.raises(InputError, match="k must be a whole number of at least 1. Received: 0"):
        prdc(rng.normal(size=(5, 3)), rng.normal(size=(10, 3)), k=0)
