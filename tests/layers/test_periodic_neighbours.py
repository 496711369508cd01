from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose

import kmatgen as kg
from kmatgen.layers import PeriodicNeighbours

METRIC = np.array([[[9.0, 1.5, 0.0], [1.5, 16.0, -2.0], [0.0, -2.0, 25.0]]], np.float32)


def by_loops(coords, metric, radial, cutoff):
    """Sums over images, one after the other."""
    sites, centres = len(coords), np.linspace(0.5, cutoff, radial)
    width = centres[1] - centres[0]
    sums, directions = np.zeros((sites, sites, radial)), np.zeros((sites, sites, radial, 3))
    for i, j, shift in product(range(sites), range(sites), product((-1, 0, 1), repeat=3)):
        difference = coords[j] - coords[i]
        step = difference - np.round(difference) + shift
        distance = np.sqrt(step @ metric @ step)
        if 1e-6 < distance < cutoff:  # a site is no neighbour of itself
            inside = 0.5 * (1 + np.cos(np.pi * distance / cutoff)) / max(distance, 0.25)
            values = np.exp(-0.5 * ((distance - centres) / width) ** 2) * inside
            sums[i, j] += values
            directions[i, j] += values[:, None] * step
    return sums, directions


@pytest.mark.parametrize(("radial", "cutoff"), [(2, 3.0), (7, 5.0), (12, 5.0)])
def test_numbers(rng, radial, cutoff):
    coords = rng.random((1, 4, 3)).astype("float32")
    sums, directions = PeriodicNeighbours(radial, cutoff)(coords, METRIC)
    expected = by_loops(coords[0].astype(float), METRIC[0].astype(float), radial, cutoff)
    assert_allclose(sums[0], expected[0], atol=1e-5)
    assert_allclose(directions[0], expected[1], atol=1e-5)


def test_a_lone_site_sees_its_own_images():
    sums, directions = PeriodicNeighbours(4, 5.0)(np.zeros((1, 1, 3), np.float32), 9 * np.eye(3, dtype="float32")[None])
    centres = np.linspace(0.5, 5, 4)
    of = {d: np.exp(-0.5 * ((d - centres) / 1.5) ** 2) * 0.5 * (1 + np.cos(np.pi * d / 5)) / d for d in (3.0, 18**0.5)}
    assert_allclose(sums[0, 0, 0], 6 * of[3.0] + 12 * of[18**0.5], atol=1e-5)
    assert_allclose(directions[0, 0, 0], np.zeros((4, 3)), atol=1e-5)


def test_origin_and_choice_of_cell_do_not_matter(rng):
    coords = rng.random((1, 3, 3)).astype("float32")
    layer = PeriodicNeighbours(5, 3.0)
    sums, directions = layer(coords, METRIC)
    moved = layer((coords + rng.random(3)).astype("float32") % 1, METRIC)
    assert_allclose(moved[0], sums, atol=1e-4)
    # Axes in another order.
    order = [2, 0, 1]
    turned = layer(coords[..., order], METRIC[:, order][:, :, order])
    assert_allclose(turned[0], sums, atol=1e-5)
    assert_allclose(turned[1], np.asarray(directions)[..., order], atol=1e-5)


@pytest.mark.parametrize("arguments", [(1, 5.0), (4, 1.0)])
def test_refuses(arguments):
    with pytest.raises(kg.InputError, match="Received: radial"):
        PeriodicNeighbours(*arguments)
