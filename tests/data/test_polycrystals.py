import inspect
import itertools
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal, assert_array_less
from scipy.spatial import ConvexHull

from kmatgen.data.polycrystals import grain_statistics, ipf_colours, polycrystal
from kmatgen.errors import InputError


def means(n, **arguments):
    """Means over n images of the diameter, the log spread and the aspect ratio."""
    statistics = polycrystal(n, colouring="boundary", **arguments).statistics
    return np.mean([(s.mean_diameter, s.log_diameter_std, s.aspect_ratio) for s in statistics], axis=0)


@pytest.mark.parametrize(("colouring", "channels"), [("ipf", 3), ("grey", 1), ("boundary", 1)])
def test_shapes_types_and_range(colouring, channels):
    images, grain_map, statistics = polycrystal(3, 32, colouring=colouring)
    assert (images.shape, images.dtype) == ((3, 32, 32, channels), np.float32)
    assert (grain_map.shape, grain_map.dtype) == ((3, 32, 32), np.int32)
    assert images.min() >= 0.0
    assert images.max() <= 1.0
    for labels, one in zip(grain_map, statistics, strict=True):
        assert_array_equal(np.unique(labels), np.arange(one.number_of_grains))


def test_no_images():
    images, grain_map, statistics = polycrystal(0, 16, grain_size=6)
    assert (images.shape, grain_map.shape, statistics) == ((0, 16, 16, 3), (0, 16, 16), [])


def test_odd_size_and_a_single_grain():
    images, grain_map, statistics = polycrystal(1, 5, grain_size=5)
    assert_array_equal(grain_map, np.zeros((1, 5, 5)))
    assert_array_equal(images, np.broadcast_to(images[:, :1, :1], images.shape))
    assert_allclose(statistics[0].mean_diameter, np.sqrt(100 / np.pi))


def test_same_seed_and_portions_are_the_same_bit_for_bit():
    whole = polycrystal(6, 32, grain_size=(5, 9), elongation=(1, 2), seed=3)
    portion = polycrystal(2, 32, grain_size=(5, 9), elongation=(1, 2), seed=3, first=4)
    assert_array_equal(portion.images, whole.images[4:])
    assert_array_equal(portion.grain_map, whole.grain_map[4:])
    other = polycrystal(6, 32, grain_size=(5, 9), elongation=(1, 2), seed=4)
    assert (other.grain_map != whole.grain_map).mean() > 0.5


def test_colouring_does_not_change_the_grains():
    maps = [polycrystal(2, 32, colouring=colouring).grain_map for colouring in ("ipf", "grey", "boundary")]
    assert_array_equal(maps[0], maps[1])
    assert_array_equal(maps[0], maps[2])


def test_images_show_the_grain_map():
    ipf = polycrystal(1, 32, seed=1)
    labels, count = ipf.grain_map[0], ipf.statistics[0].number_of_grains
    first_pixel = np.unique(labels, return_index=True)[1]
    palette = ipf.images[0].reshape(-1, 3)[first_pixel]
    assert_array_equal(ipf.images[0], palette[labels])
    assert len(np.unique(palette, axis=0)) == count
    assert_allclose(palette.max(axis=1), 1.0)

    edges = polycrystal(1, 32, seed=1, colouring="boundary")
    differs = (labels != np.roll(labels, -1, 0)) | (labels != np.roll(labels, -1, 1))
    assert_array_equal(edges.images[0, :, :, 0], 1.0 - differs)
    assert_allclose(edges.statistics[0].boundary_fraction, differs.mean())


@pytest.mark.parametrize("grain_size", [8.0, 14.0, 20.0])
@pytest.mark.parametrize("spread", [0.15, 0.3, 0.5])
def test_size_and_spread_are_those_asked_for(grain_size, spread):
    diameter, log_std, ratio = means(40, grain_size=grain_size, spread=spread)
    assert_allclose(diameter, grain_size, rtol=0.05)
    assert_allclose(log_std, spread, atol=0.05)
    assert_allclose(ratio, 1.0, atol=0.06)


def test_without_spread_the_grains_are_alike():
    assert_allclose(means(20, grain_size=14.0, spread=0.0), [14.0, 0.0, 1.0], rtol=0.02, atol=0.04)


@pytest.mark.parametrize("elongation", [2.0, 3.0])
def test_elongation(elongation):
    diameter, log_std, ratio = means(40, grain_size=12.0, elongation=elongation)
    assert_allclose(diameter, 12.0, rtol=0.05)
    assert_allclose(log_std, 0.3, atol=0.05)
    assert_allclose(ratio, elongation, rtol=0.07)


def test_ranges_are_drawn_for_each_image():
    statistics = polycrystal(60, grain_size=(8, 20), spread=0.15, colouring="grey", seed=5).statistics
    diameters = np.array([one.mean_diameter for one in statistics])
    assert_allclose([diameters.mean(), diameters.std()], [14.0, 12.0 / np.sqrt(12.0)], rtol=0.15)
    assert 7.5 < diameters.min() < 9.5
    assert 18.5 < diameters.max() < 21.0


def test_periodic_across_the_borders():
    labels = polycrystal(100, 48, grain_size=8.0, colouring="grey").grain_map
    for axis in (1, 2):
        changes = (labels != np.roll(labels, -1, axis)).mean(axis=(0, 3 - axis))
        assert_allclose(changes[-1], changes[:-1].mean(), atol=0.03)  # without periods nearly every pixel: 0.9


def test_grains_are_convex():
    labels = polycrystal(1, 96, grain_size=20.0, colouring="grey").grain_map[0]
    solidity = []
    for grain in range(labels.max() + 1):
        rows, columns = np.nonzero(labels == grain)
        if min(rows.min(), columns.min()) > 0 and max(rows.max(), columns.max()) < 95:  # whole inside the image
            corners = [np.stack([rows + i, columns + j], axis=1) for i in (0, 1) for j in (0, 1)]
            solidity.append(len(rows) / ConvexHull(np.concatenate(corners)).volume)
    assert len(solidity) >= 5
    assert_array_less(0.85, solidity)  # of a pixelated disc of this size: 0.93
    assert np.mean(solidity) > 0.9


def test_statistics_of_a_known_map():
    labels = np.zeros((8, 12), int)
    labels[2:6, 10:] = 1  # with the next line: 4 rows by 6 columns, across the border
    labels[2:6, :4] = 1
    labels[0, 5] = 2
    one = grain_statistics(labels)
    diameters = np.sqrt(4.0 / np.pi * np.array([71.0, 24.0, 1.0]))
    assert one.number_of_grains == 3
    assert_allclose(one.diameters, diameters)
    assert_allclose(one.mean_diameter, diameters.mean())
    assert_allclose(one.log_diameter_std, np.log(diameters).std())
    # Grain 1 has 4 pixels on either vertical side and 6 above and below, with one pixel counted for both at a corner;
    # grain 2 is met from the left, from above and at its own pixel.
    assert_allclose(one.boundary_fraction, (4 + 4 + 6 + 6 - 1 + 3) / 96)


def test_aspect_ratio_of_rectangles_across_the_border():
    labels = np.zeros((16, 24), int)
    labels[4:12, :12] = 1  # 12 by 8
    labels[12:, :] = 2
    labels[:4, :] = 2  # 24 by 8, whole width
    labels[4:12, 12:] = 0  # 12 by 8
    ratios = [1.5, 1.5, 3.0]
    for shift in (0, 5):
        rolled = np.roll(labels, (shift, shift), (0, 1))
        assert_allclose(grain_statistics(rolled).aspect_ratio, np.exp(np.log(ratios).mean()))


def test_ipf_corners_and_centre():
    assert_allclose(ipf_colours([[0, 0, 1], [0, 1, 1], [1, 1, 1]]), np.eye(3), atol=1e-7)
    corners = np.array([[0, 0, 1.0], [0, 1.0, 1.0] / np.sqrt(2.0), [1.0, 1.0, 1.0] / np.sqrt(3.0)])
    assert_allclose(ipf_colours(5.0 * corners.sum(axis=0)), [1.0, 1.0, 1.0])
    assert_allclose(ipf_colours([0.2, 0.5, 1.0] @ corners), [0.2, 0.5, 1.0])


def test_ipf_is_the_same_under_the_48_operations_of_the_cube():
    directions = np.random.default_rng(0).standard_normal((20, 3))
    colours = ipf_colours(directions)
    assert (colours.min(), colours.max()) >= (0.0, 1.0)
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((-1.0, 1.0), repeat=3):
            assert_allclose(ipf_colours(directions[:, order] * signs), colours)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": -1}, "n is a whole number"),
        ({"n": 1.0}, "n is a whole number"),
        ({"size": 3}, "size is a whole number"),
        ({"seed": -1}, "seed is a whole number"),
        ({"first": True}, "first is a whole number"),
        ({"grain_size": 1.0}, "grain_size is at least 2"),
        ({"grain_size": (9, 8)}, "grain_size is at least 2 and goes from low to high"),
        ({"grain_size": "8"}, "grain_size is a number or a pair"),
        ({"grain_size": (8, 9, 10)}, "grain_size is a number or a pair"),
        ({"grain_size": float("nan")}, "grain_size is a number or a pair"),
        ({"grain_size": 40, "elongation": 4.0}, "has to fit into the image"),
        ({"elongation": 0.5}, "elongation is at least 1"),
        ({"spread": -0.1}, "spread is a number from 0 to 1"),
        ({"spread": None}, "spread is a number from 0 to 1"),
        ({"colouring": "rgb"}, "colouring is one of ipf, grey, boundary"),
        ({"colouring": ["ipf"]}, "colouring is one of ipf, grey, boundary"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(InputError, match=rf"{message}.*Received: "):
        polycrystal(**{"n": 1, **arguments})


@pytest.mark.parametrize(
    "labels", [np.zeros(4, int), np.zeros((2, 2)), np.full((2, 2), -1), np.zeros((0, 2), int), np.eye(2, dtype=int) * 2]
)
def test_grain_maps_are_checked(labels):
    with pytest.raises(InputError, match="Received: "):
        grain_statistics(labels)


@pytest.mark.parametrize("directions", [[0.0, 0.0, 0.0], [[1.0, np.nan, 0.0]], [np.inf, 0.0, 0.0], [1.0, 2.0], 1.0])
def test_directions_are_checked(directions):
    with pytest.raises(InputError, match="Received: "):
        ipf_colours(directions)


def test_progress_is_shown_only_when_asked_for(capsys):
    polycrystal(2, 16, grain_size=6)
    assert capsys.readouterr().err == ""
    polycrystal(2, 16, grain_size=6, progress=True)
    assert "2/2" in capsys.readouterr().err


def test_tensorflow_is_not_imported():
    path = inspect.getsourcefile(polycrystal)  # alone: its package may import what it likes
    code = f"import runpy, sys; runpy.run_path({path!r}); sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
