import numpy as np
from numpy.testing import assert_allclose

from kmatgen.representations import CrystalTable
from kmatgen.representations.crystal_table import lattice_matrix
from kmatgen.representations.distances import periodic_distances, reduced_vectors
from tests.metrics.crystals import cubic


def random_cells(rng, n, sites):
    lattice = np.concatenate([rng.uniform(2, 12, (n, 3)), rng.uniform(30, 150, (n, 3))], axis=1)
    table = CrystalTable(lattice, rng.integers(1, 90, (n, sites)), rng.random((n, sites, 3)), np.zeros(n))
    return table[table.volume > 1]


def test_caesium_chloride_by_hand():
    distances = periodic_distances(cubic(4.0, [55, 17], [[0, 0, 0], [0.5, 0.5, 0.5]]))
    assert_allclose(distances[0], [[4, 2 * 3**0.5], [2 * 3**0.5, 4]])


def test_skewed_cells_agree_with_pymatgen(rng):
    table = random_cells(rng, 60, 4)
    assert len(table) > 30
    others = ~np.eye(4, dtype=bool)
    for structure, distances in zip(table.structures(), periodic_distances(table), strict=True):
        assert_allclose(distances[others], structure.distance_matrix[others], rtol=1e-9)
        own = min(site.nn_distance for site in structure.get_neighbors(structure[0], 12.1) if site.index == 0)
        assert_allclose(distances[0, 0], own, rtol=1e-9)


def test_any_cell_of_a_lattice_is_reduced_to_the_same_lengths(rng):
    cell = lattice_matrix(np.array([[3.0, 4, 5, 80, 95, 70]]))
    skewed = np.array([[[1, 7, -3], [0, 1, 4], [0, 0, 1]]]) @ cell
    vectors, numbers = reduced_vectors(skewed)
    assert_allclose(np.linalg.norm(vectors, axis=-1), [[3, 4, 5]])
    assert_allclose(numbers @ skewed, vectors)
    assert_allclose(abs(np.linalg.det(numbers)), 1)


def test_gaps_are_infinitely_far_and_what_is_not_finite_stays_so():
    table = cubic([4.0, 4.0], [[55, 17], [55, 0]], [[0, 0, 0], [0.5, 0.5, 0.5]])
    table.lattice[0, 0] = np.nan
    distances = periodic_distances(table)
    assert np.isnan(distances[0]).all()
    assert_allclose(distances[1], [[4, np.inf], [np.inf, np.inf]])
