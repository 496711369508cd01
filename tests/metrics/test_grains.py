import numpy as np
import pytest
from numpy.testing import assert_allclose

from kmatgen import InputError
from kmatgen.data import polycrystal
from kmatgen.metrics import astm_grain_size, grain_sizes, mean_intercept
from tests.metrics.fields import checkerboard, poisson_voronoi


def squares(side=16, cell=4):
    rows, columns = np.indices((side, side)) // cell
    return rows * (side // cell) + columns


def test_sizes_of_known_polycrystals():
    made = polycrystal(4, 64, grain_size=(8, 16), seed=0)
    for found, truth in zip(grain_sizes(made.grain_map, pixel_size=0.5), made.statistics, strict=True):
        assert_allclose(found.diameters, 0.5 * truth.diameters)
        assert_allclose(found.mean, 0.5 * truth.mean_diameter)


def test_sizes_in_three_dimensions():
    volume = np.zeros((1, 8, 8, 8), int)
    volume[0, :2, :2, :2] = 1
    assert_allclose(grain_sizes(volume)[0].diameters[1], (6 * 8 / np.pi) ** (1 / 3))


def test_samples_cut_out_of_larger_ones_are_not_biased(rng):
    """Grains at a side are left out, which favours small ones; weights make up for it."""
    whole = polycrystal(6, 192, grain_size=14, spread=0.4, seed=0)
    truth = np.mean(np.concatenate([one.diameters for one in whole.statistics]))
    cut = whole.grain_map.reshape(6, 3, 64, 3, 64).swapaxes(2, 3).reshape(-1, 64, 64)
    found = grain_sizes(cut, periodic=False)
    diameters, weights = (np.concatenate([getattr(one, name) for one in found]) for name in ("diameters", "weights"))
    assert_allclose(np.average(diameters, weights=weights), truth, rtol=0.02)
    assert diameters.mean() < 0.97 * truth


def test_weights_of_squares():
    found = grain_sizes(squares()[None], periodic=False)[0]
    assert len(found.diameters) == 4
    assert_allclose(found.weights, (16 / 11) ** 2)  # of 13 places two touch a side
    assert_allclose(found.mean, np.sqrt(4 * 16 / np.pi))


def test_intercepts_of_squares():
    assert_allclose(mean_intercept(squares()[None], pixel_size=2.0), 8.0)
    assert_allclose(mean_intercept(squares()[None], periodic=False), 15 / 3)
    stripes = np.broadcast_to(np.arange(16) // 2, (1, 16, 16))
    assert_allclose(mean_intercept(stripes, axis=1), 2.0)
    with pytest.raises(InputError, match="grain boundaries in every sample.*Received: grain_map 0"):
        mean_intercept(stripes, axis=0)


def test_intercepts_of_voronoi_cells(rng):
    """pi / (4 sqrt(density)) for random points (Meijering 1953)."""
    maps = poisson_voronoi(rng, 12, 128, 64)
    assert_allclose(mean_intercept(maps).mean(), np.pi / 4 * 16, rtol=0.03)
    assert_allclose(mean_intercept(maps, periodic=False).mean(), np.pi / 4 * 16, rtol=0.03)


def test_grain_size_numbers():
    """From table 4 of ASTM E112: 226.3 um is 1, 56.6 um is 5, 20.0 um is 8, 5.0 um is 12."""
    assert_allclose(astm_grain_size(np.array([226.3, 56.6, 20.0, 5.0])), [1, 5, 8, 12], atol=0.01)
    assert isinstance(astm_grain_size(20.0), float)
    with pytest.raises(InputError, match="length above 0 in micrometres. Received: 0"):
        astm_grain_size(0)


def test_refuses():
    with pytest.raises(InputError, match="grain that touches no side.*Received: grain_map 0 with 2 grains"):
        grain_sizes(checkerboard(cell=8)[None], periodic=False)
    with pytest.raises(InputError, match="grain_map must be whole numbers from 0"):
        grain_sizes(np.zeros((1, 8, 8)))
