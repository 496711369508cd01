import numpy as np
import pytest
from numpy.testing import assert_allclose

from kmatgen import InputError
from kmatgen.metrics import kid, median_distance, mmd


def unbiased(x, y, kernel):
    """Equation 3 of Gretton et al. term by term."""
    within = [np.mean([kernel(z[i], z[j]) for i in range(len(z)) for j in range(len(z)) if i != j]) for z in (x, y)]
    return sum(within) - 2 * np.mean([kernel(a, b) for a in x for b in y])


def test_kid_is_the_unbiased_estimate(rng):
    x, y = rng.normal(size=(7, 3)), rng.normal(0.5, 1, size=(9, 3))
    assert_allclose(kid(x, y).value, unbiased(x, y, lambda a, b: (a @ b / 3 + 1) ** 3))


def test_mmd_is_the_unbiased_estimate(rng):
    x, y = rng.normal(size=(7, 3)), rng.normal(0.5, 1, size=(9, 3))
    pooled = np.concatenate([x, y])
    sigma = np.median([np.linalg.norm(a - b) for i, a in enumerate(pooled) for b in pooled[:i]])
    assert_allclose(median_distance(x, y), sigma)
    expected = unbiased(x, y, lambda a, b: np.exp(-np.sum((a - b) ** 2) / (2 * sigma**2)))
    assert_allclose(mmd(x, y).value, expected)
    assert_allclose(mmd(x, y, bandwidth=sigma), mmd(x, y))


def test_blocks_change_nothing(rng, monkeypatch):
    x, y = rng.normal(size=(50, 3)), rng.normal(size=(41, 3))
    whole = kid(x, y, subset_size=10)
    monkeypatch.setattr("kmatgen.metrics.kernels._BLOCK", 100)
    assert_allclose(kid(x, y, subset_size=10), whole)


def test_interval_covers_the_truth(rng):
    """In one dimension (xy + 1)^3 = 1 + 3 xy + 3 (xy)^2 + (xy)^3: KID is that of the first three moments."""
    shift = 0.5
    truth = 3 * shift**2 + 3 * (shift**2) ** 2 + (shift**3 + 3 * shift) ** 2
    hits = 0
    for seed in range(40):
        x, y = rng.normal(size=(120, 1)), rng.normal(shift, 1, size=(120, 1))
        estimate = kid(x, y, subsets=30, seed=seed)
        hits += estimate.low <= truth <= estimate.high
    assert 33 <= hits <= 40


def test_refuses(rng):
    x = rng.normal(size=(10, 3))
    with pytest.raises(InputError, match="real must hold at least 4 samples. Received: 3"):
        kid(x[:3], x)
    with pytest.raises(InputError, match="same features. Received: 3 of real and 2"):
        mmd(x, x[:, :2])
    with pytest.raises(InputError, match="median distance .* must be above 0"):
        mmd(np.ones((10, 3)), np.ones((10, 3)))
    with pytest.raises(InputError, match="finite.*1 of 10 samples with such values, the first at index 4"):
        kid(x, np.where(np.arange(10)[:, None] == 4, np.nan, x))
    with pytest.raises(InputError, match="confidence above 0 and below 1"):
        kid(x, x, confidence=1.0)
