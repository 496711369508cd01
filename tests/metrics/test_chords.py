import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen import InputError
from kmatgen.metrics import chord_lengths, lineal_path, two_point_curve
from tests.metrics.fields import checkerboard, overlapping_discs


def test_path_in_noise(rng):
    """All of z + 1 independent pixels in the phase."""
    noise = rng.random((60, 64, 64)) < 0.6
    for periodic in (True, False):
        path = lineal_path(noise, periodic=periodic)
        assert_allclose(path.values.mean(axis=0)[:8], 0.6 ** np.arange(1, 9), atol=0.003)
    assert_array_equal(path.distance, np.arange(33))


def test_path_by_trying_every_place(rng):
    masks = rng.random((3, 10, 7)) < 0.7
    periodic, inside = lineal_path(masks).values, lineal_path(masks, periodic=False).values
    for steps in range(4):
        around, along = [], []
        for axis in (1, 2):
            moved = [np.roll(masks, -step, axis=axis) for step in range(steps + 1)]
            around.append(np.all(moved, axis=0).reshape(3, -1))
            kept = [slice(None), slice(None), slice(None)]
            kept[axis] = slice(0, masks.shape[axis] - steps)
            along.append(np.all(moved, axis=0)[tuple(kept)].reshape(3, -1))
        assert_allclose(periodic[:, steps], np.concatenate(around, axis=1).mean(axis=1))
        assert_allclose(inside[:, steps], np.concatenate(along, axis=1).mean(axis=1))


def test_path_of_discs(rng):
    """The void of the Boolean model: exp(-density (pi R^2 + 2 R z)) (Torquato 2002, 5.1)."""
    radius, density = 6.0, 0.006
    void = 1 - overlapping_discs(rng, 24, 96, radius, density)
    path = lineal_path(void, pixel_size=2.0)
    z = path.distance[:20] / 2.0
    assert_allclose(path.values.mean(axis=0)[:20], np.exp(-density * (np.pi * radius**2 + 2 * radius * z)), atol=0.02)


def test_path_in_three_dimensions_and_in_all_of_one_phase():
    board = checkerboard(axes=3)[None]
    assert_allclose(lineal_path(board).values[0, :5], [1 / 2, 3 / 8, 1 / 4, 1 / 8, 0])
    for periodic in (True, False):
        assert_allclose(lineal_path(np.ones((1, 8, 8), int), periodic=periodic).values, 1.0)


def test_chords_of_a_checkerboard():
    board = checkerboard()[None]
    assert_array_equal(chord_lengths(board, pixel_size=0.5)[0], np.full(2 * 16 * 2, 2.0))
    # Of the two in each line one touches a side.
    assert_array_equal(chord_lengths(board, periodic=False)[0], np.full(2 * 16, 4.0))
    assert_array_equal(chord_lengths(board, axis=0)[0], np.full(16 * 2, 4.0))


def test_chords_around_the_sides():
    phases = np.zeros((2, 4, 6), int)
    phases[0, 1] = [1, 1, 0, 0, 1, 0]
    phases[1, 2] = [1, 0, 0, 0, 0, 1]
    phases[1, 3] = 1
    first, second = chord_lengths(phases, axis=1)
    assert_array_equal(np.sort(first), [1, 2])
    assert_array_equal(second, [2])  # around the side; the full line has no end
    first, second = chord_lengths(phases, axis=1, periodic=False)
    assert_array_equal(first, [1])
    assert_array_equal(second, [])


def test_chords_of_noise_and_of_discs(rng):
    noise = rng.random((20, 64, 64)) < 0.6
    chords = np.concatenate(chord_lengths(noise))
    counts = np.bincount(chords.astype(int))[1:6] / len(chords)
    assert_allclose(counts, 0.4 * 0.6 ** np.arange(5), atol=0.01)  # geometric
    void = 1 - overlapping_discs(rng, 24, 96, 6.0, 0.006)
    assert_allclose(np.concatenate(chord_lengths(void)).mean(), 1 / (2 * 6.0 * 0.006), rtol=0.08)


def test_path_is_at_most_the_correlation(rng):
    masks = rng.random((5, 16, 16)) < 0.5
    assert_allclose(lineal_path(masks).values[:, 0], two_point_curve(masks).values[:, 0])


@pytest.mark.filterwarnings("ignore:.*is deprecated:FutureWarning")
def test_agrees_with_porespy(rng):
    filters = pytest.importorskip("porespy.filters")
    metrics = pytest.importorskip("porespy.metrics")
    image = np.kron(rng.random((16, 16)) < 0.6, np.ones((3, 3))).astype(bool)
    chords = filters.apply_chords(image, spacing=1, axis=1, trim_edges=True)
    # They leave one line between two, so that chords do not touch.
    kept = np.unique(np.nonzero(chords.any(axis=1))[0])
    theirs = np.sort(metrics.chord_counts(chords))
    lines = np.repeat(image[kept], 4, axis=0).reshape(len(kept), 4, -1)
    ours = np.sort(np.concatenate([x[: len(x) // 4] for x in chord_lengths(lines, axis=1, periodic=False)]))
    assert_array_equal(np.bincount(ours.astype(int)), np.bincount(theirs))


def test_refuses():
    with pytest.raises(InputError, match="axis must be one of the 2 axes of a sample, counted from 0. Received: 2"):
        chord_lengths(checkerboard()[None], axis=2)
    with pytest.raises(InputError, match="Phase 3 must be in at least one of phases. Received: phases 0, 1"):
        lineal_path(checkerboard()[None], phase=3)
