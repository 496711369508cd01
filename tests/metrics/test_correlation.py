import csv
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image

from kmatgen import InputError
from kmatgen.metrics import radial_average, rms_two_point_error, segment, two_point_correlation, two_point_curve
from kmatgen.metrics.correlation import lags
from tests.metrics.fields import checkerboard, overlapping_discs

UHCS = Path(__file__).parents[3] / "shared" / "data" / "uhcs"


def by_shifting(field, vector):
    """The average over pairs inside, straight from the definition."""
    here = tuple(slice(max(0, -step), min(side, side - step)) for step, side in zip(vector, field.shape, strict=True))
    there = tuple(slice(max(0, step), min(side, side + step)) for step, side in zip(vector, field.shape, strict=True))
    return np.mean(field[here] * field[there])


@pytest.mark.parametrize("side", [4, 5])
def test_lags_are_those_of_fft(side):
    assert_allclose(lags(side), side * np.fft.fftfreq(side))


@pytest.mark.parametrize("shape", [(12, 9), (6, 5, 8)])
def test_is_the_average_over_pairs(rng, shape):
    field = rng.random(shape)
    periodic, inside = two_point_correlation(field[None]), two_point_correlation(field[None], periodic=False)
    for vector in np.ndindex(3, *(3,) * (len(shape) - 1)):
        assert_allclose(periodic[0][vector], np.mean(field * np.roll(field, vector, range(len(shape)))))
        assert_allclose(inside[0][vector], by_shifting(field, vector))
        assert_allclose(inside[0][tuple(-step for step in vector)], by_shifting(field, vector))


def test_checkerboard():
    board = checkerboard()[None].astype(float)
    s2 = two_point_correlation(board)[0]
    triangle = np.array([0.5, 0.375, 0.25, 0.125, 0, 0.125, 0.25, 0.375])  # along an axis, period of two cells
    assert_allclose(s2[0], np.tile(triangle, 2), atol=1e-12)
    assert_allclose(s2[4, 4], 0.5)


def test_noise_is_uncorrelated(rng):
    curve = two_point_curve(rng.random((100, 32, 32)) < 0.3, periodic=False)
    assert_allclose(curve.values.mean(axis=0), [0.3] + [0.09] * 16, atol=0.005)


def test_overlapping_discs(rng):
    """The void of the Boolean model: exp(-density x area of the union of two discs) (Torquato 2002, 5.1)."""
    radius, density = 6.0, 0.006
    void = 1 - overlapping_discs(rng, 24, 96, radius, density)
    curve = two_point_curve(void)
    r = np.minimum(curve.distance, 2 * radius)
    common = 2 * radius**2 * np.arccos(r / (2 * radius)) - r / 2 * np.sqrt(4 * radius**2 - r**2)
    expected = np.exp(-density * (2 * np.pi * radius**2 - common))
    assert_allclose(curve.values.mean(axis=0)[:25], expected[:25], atol=0.012)


def test_curve_averages_over_rings(rng):
    fields = rng.random((3, 10, 14))
    curve = two_point_curve(fields, pixel_size=0.5)
    maps = two_point_correlation(fields)
    rows, columns = np.meshgrid(np.fft.fftfreq(10, 0.1), np.fft.fftfreq(14, 1 / 14), indexing="ij")
    lengths = np.hypot(rows, columns)
    for ring in range(6):
        inside = np.rint(lengths) == ring
        assert_allclose(curve.distance[ring], 0.5 * lengths[inside].mean())
        assert_allclose(curve.values[:, ring], maps[:, inside].mean(axis=1))
    assert curve.distance.shape == (6,)
    assert_allclose(radial_average(maps).values, curve.values)


@pytest.mark.parametrize("shape", [(3, 10, 14), (2, 11, 9), (2, 6, 7, 8)])
@pytest.mark.parametrize("periodic", [True, False])
def test_both_ways_to_the_curve(rng, monkeypatch, shape, periodic):
    """Large samples are averaged in space, others by their spectrum."""
    fields = rng.random(shape)
    by_spectrum = two_point_curve(fields, periodic)
    monkeypatch.setattr("kmatgen.metrics.correlation._SPECTRAL", 0)
    monkeypatch.setattr("kmatgen.metrics.correlation._CHUNK", 100)
    assert_allclose(two_point_curve(fields, periodic).values, by_spectrum.values)


def test_rms_error():
    real = np.zeros((2, 8, 8))
    real[0] = 1.0  # the mean curve is 0.5 at all distances
    assert_allclose(rms_two_point_error(real, np.full((3, 8, 8), 0.6)), 0.14)
    assert rms_two_point_error(real, real[::-1]) == 0.0


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (np.zeros((4, 8, 8, 1)), r"without a channel axis.*Received: shape \(4, 8, 8, 1\)"),
        (np.full((2, 8, 8), np.nan), "finite.*2 of 2 samples"),
        (np.zeros((0, 8, 8)), "at least 1 samples.*Received: 0"),
        (np.full((2, 8, 8), "a"), "real numbers"),
    ],
)
def test_refuses(fields, words):
    with pytest.raises(InputError, match=words):
        two_point_curve(fields)


def test_refuses_other_sizes():
    with pytest.raises(InputError, match=r"same size.*\(8, 8\) and \(16, 16\)"):
        rms_two_point_error(np.zeros((2, 8, 8)), np.zeros((2, 16, 16)))
    with pytest.raises(InputError, match=r"pixel_size must be a number above 0. Received: 0"):
        two_point_curve(np.zeros((2, 8, 8)), pixel_size=0)


def test_agrees_with_porespy(rng):
    metrics = pytest.importorskip("porespy.metrics")
    image = np.kron(rng.random((12, 12)) < 0.4, np.ones((4, 4))).astype(bool)
    theirs = metrics.two_point_correlation(image, bins=np.arange(-0.5, 24))
    ours = two_point_curve(image[None], periodic=False)
    assert_allclose(ours.values[0, :24], theirs.probability[:24] * image.mean(), rtol=1e-6)


@pytest.mark.data
@pytest.mark.skipif(not UHCS.is_dir(), reason="the UHCS micrographs are not there")
def test_tells_microconstituents_of_real_steel_apart():
    """Tiles of 128 pixels, Otsu: halves of one class, divided by image, against spheroidite and network."""
    with (UHCS / "metadata.csv").open() as file:
        labels = {row["path"]: row["primary_microconstituent"] for row in csv.DictReader(file)}
    phases = {
        kind: [segment(tiles(path)) for path, label in labels.items() if label == kind]
        for kind in ("spheroidite", "network")
    }
    within = [rms_two_point_error(*map(np.concatenate, (x[::2], x[1::2])), periodic=False) for x in phases.values()]
    between = rms_two_point_error(*map(np.concatenate, phases.values()), periodic=False)
    assert_allclose(between, 0.335, atol=0.005)
    assert max(within) < between / 3


def tiles(name):
    image = np.asarray(Image.open(UHCS / name).convert("L"))[:384, :640] / 255.0  # above the data bar
    return image.reshape(3, 128, 5, 128).swapaxes(1, 2).reshape(15, 128, 128, 1)
