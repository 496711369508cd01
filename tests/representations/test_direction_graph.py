from dataclasses import replace

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen.representations import CrystalTable, DirectionGraph
from kmatgen.representations.direction_graph import positions
from tests.representations.crystals import triclinic


def test_edges_by_hand():
    table = CrystalTable([[4, 4, 4, 90, 90, 90]], [[55, 17]], [[[0.9, 0, 0.25], [0.1, 0.5, 0.75]]], [1])
    arrays = DirectionGraph().fit(table).encode(table)
    assert_allclose(arrays["directions"][0, 1, 0], [0.4, -1, -1], atol=1e-6)
    assert_allclose(arrays["directions"][0, 0, 1], [-0.4, -1, -1], atol=1e-6)
    assert_array_equal(arrays["species"][0], [[0, 1], [1, 0]])


def test_the_origin_does_not_matter():
    table = triclinic(8)
    elsewhere = (table.coords + np.array([0.3, 0.8, 0.1])) % 1
    moved = replace(table, coords=np.where(table.mask[..., None], elsewhere, 0))
    representation = DirectionGraph().fit(table)
    # Where two sites are half a cell apart, either image is the nearest.
    difference = representation.encode(table)["directions"] - representation.encode(moved)["directions"]
    assert_allclose((difference + 1) % 2, 1, atol=1e-6)


def test_errors_of_edges_average(rng):
    coords = rng.random((1, 30, 3))
    coords[:, 0] = 0
    differences = coords[:, :, None] - coords[:, None]
    noisy = differences + rng.normal(0, 0.02, differences.shape)
    found = positions(noisy, np.ones((1, 30), bool)).numpy()
    error = (found - coords + 0.5) % 1 - 0.5
    # Two of the four noises of a way differ from site to site: 0.02 sqrt(2 / 60), and as much for the first site.
    assert_allclose(error.std(), 0.02 * np.sqrt(4 / 60), rtol=0.35)
