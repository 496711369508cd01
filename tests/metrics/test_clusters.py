import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen import InputError
from kmatgen.metrics import cluster_correlation, label_clusters, percolating_share, two_point_correlation
from tests.metrics.fields import checkerboard


def test_labels_go_around_sides_and_not_from_sample_to_sample():
    phases = np.zeros((2, 4, 5), int)
    phases[:, 1, [0, 4]] = 1
    phases[1, 3, 2] = 1
    labels = label_clusters(phases)
    assert_array_equal(labels[:, 1, 0], labels[:, 1, 4])
    assert sorted([*labels[:, 1, 0], labels[1, 3, 2]]) == [1, 2, 3]
    assert_array_equal(labels > 0, phases)
    assert label_clusters(phases, periodic=False).max() == 5
    assert label_clusters(phases, periodic=[1]).max() == 3
    assert label_clusters(phases, periodic=[0]).max() == 5


def test_labels_join_at_corners_if_asked():
    board = checkerboard()[None]
    assert label_clusters(board).max() == 8
    assert label_clusters(board, diagonal=True).max() == 1
    corner = np.zeros((1, 4, 4), int)
    corner[0, 0, 0] = corner[0, 3, 3] = 1
    assert label_clusters(corner, diagonal=True).max() == 1
    assert label_clusters(corner, diagonal=True, periodic=[0]).max() == 2


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("small", [0, 64])
def test_correlation_by_shifting(rng, monkeypatch, periodic, small):
    monkeypatch.setattr("kmatgen.metrics.clusters._SMALL", small)
    phases = rng.random((2, 9, 8)) < 0.5
    found = cluster_correlation(phases, periodic=periodic)
    labels = label_clusters(phases, periodic=periodic)
    for i, j in np.ndindex(4, 4):
        here, there = labels, np.roll(labels, (i, j), (1, 2))
        if not periodic:
            here, there = labels[:, i:, j:], labels[:, : 9 - i, : 8 - j]
        expected = ((here > 0) & (here == there)).reshape(2, -1).mean(axis=1)
        assert_allclose(found[:, i, j], expected, atol=1e-12)


def test_correlation_of_one_cluster_is_s2_and_of_islands_less():
    strip = np.zeros((1, 16, 16), int)
    strip[:, :, 3:8] = 1
    assert_allclose(cluster_correlation(strip), two_point_correlation(strip), atol=1e-12)
    board = checkerboard()[None]
    # Within a cell of 4: the overlap of a triangle in each direction.
    assert_allclose(cluster_correlation(board)[0, 0, :5], [1 / 2, 3 / 8, 1 / 4, 1 / 8, 0], atol=1e-12)
    assert_allclose(cluster_correlation(board)[0, 0, 8], 0, atol=1e-12)
    assert_allclose(two_point_correlation(board)[0, 0, 8], 1 / 2)


def test_percolation():
    phases = np.zeros((2, 8, 8), int)
    phases[0, :, 3] = 1  # from top to bottom
    phases[0, 2, 6:] = 1
    phases[1, 4] = 1
    assert_allclose(percolating_share(phases, axis=0), [0.8, 0])
    assert_allclose(percolating_share(phases, axis=1), [0, 1])
    phases[0, 2, 0] = 1
    assert_allclose(percolating_share(phases, axis=1), [0, 1])


def test_percolation_around_other_sides():
    phases = np.zeros((1, 8, 8), int)
    phases[0, :5, 0] = 1
    phases[0, 4:, 7] = 1
    assert_allclose(percolating_share(phases), 0)
    assert_allclose(percolating_share(phases, periodic=True), 1)


def test_percolation_of_noise_sets_in_at_its_threshold(rng):
    """Site percolation on the square lattice: 0.593."""
    joined = [(percolating_share(rng.random((20, 64, 64)) < p) > 0).mean() for p in (0.53, 0.65)]
    assert joined[0] < 0.2
    assert joined[1] > 0.8


def test_percolation_agrees_with_porespy(rng):
    metrics = pytest.importorskip("porespy.metrics")
    volumes = rng.random((12, 10, 10, 10)) < 0.32
    for axis in range(3):
        ours = percolating_share(volumes, axis=axis) > 0
        assert_array_equal(ours, [bool(metrics.is_percolating(volume, axis=axis)) for volume in volumes])
    assert 0 < ours.sum() < 12


def test_refuses():
    with pytest.raises(InputError, match="axis must be one of the 2 axes"):
        percolating_share(checkerboard()[None], axis=3)
    with pytest.raises(InputError, match="Phase 2 must be in"):
        label_clusters(checkerboard()[None], phase=2)
