import numpy as np
import pytest
from numpy.testing import assert_allclose

from kmatgen import InputError
from kmatgen.data import polycrystal
from kmatgen.metrics import grain_sizes, segment_grains


@pytest.mark.parametrize(("colouring", "borders"), [("ipf", "contrast"), ("grey", "contrast"), ("boundary", "dark")])
def test_mean_diameter_of_known_polycrystals(colouring, borders):
    made = polycrystal(10, 64, grain_size=(9, 16), colouring=colouring, seed=0)
    truth = np.mean(np.concatenate([one.diameters for one in made.statistics]))
    found = grain_sizes(segment_grains(made.images, borders=borders, periodic=True))
    assert_allclose(np.mean(np.concatenate([one.diameters for one in found])), truth, rtol=0.03)
    cut = grain_sizes(segment_grains(made.images, borders=borders), periodic=False)
    diameters, weights = (np.concatenate([getattr(one, name) for one in cut]) for name in ("diameters", "weights"))
    assert_allclose(np.average(diameters, weights=weights), truth, rtol=0.06)


def test_finds_the_grains_under_noise(rng):
    quarters = np.kron([[0.1, 0.5], [0.55, 0.95]], np.ones((16, 16)))
    noisy = np.clip(quarters + rng.normal(0, 0.02, (3, 32, 32)), 0, 1)[..., None]
    maps = segment_grains(noisy, depth=0.2)
    for grains in maps:
        assert grains.max() == 3
        for quarter in grains.reshape(2, 16, 2, 16).swapaxes(1, 2).reshape(4, 16, 16):
            assert len(np.unique(quarter[2:-2, 2:-2])) == 1


def test_volumes(rng):
    halves = np.zeros((1, 12, 12, 12, 1))
    halves[:, 6:] = 1.0
    assert segment_grains(halves).max() == 1
    assert segment_grains(halves, periodic=True).shape == (1, 12, 12, 12)


def test_refuses():
    with pytest.raises(InputError, match="must show grain boundaries. Received: .* constant"):
        segment_grains(np.full((2, 16, 16, 1), 0.5))
    with pytest.raises(InputError, match="borders must be one of contrast, dark, bright"):
        segment_grains(np.zeros((2, 16, 16, 1)), borders="edge")
