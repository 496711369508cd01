import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen import InputError
from kmatgen.metrics import Colours, segment, segmenter, to_grey
from tests.metrics.fields import checkerboard


def test_otsu_finds_the_phases_of_each_image(rng):
    truth = np.stack([checkerboard(), 1 - checkerboard()])
    bright = np.array([0.0, 0.4])[:, None, None]  # the dark phase of the second is as bright as the other's bright one
    images = np.clip(bright + 0.4 * truth + rng.normal(0, 0.03, truth.shape), 0, 1)[..., None]
    assert_array_equal(segment(images), truth)
    assert_array_equal(segment(images[:, :, :, None]), truth[:, :, :, None])
    three = (truth + checkerboard(cell=2)) / 2
    assert_array_equal(segment(three[..., None], "otsu", phases=3), 2 * three)


def test_smoothing_removes_specks(rng):
    truth = checkerboard(side=48, cell=16)[None]
    noisy = np.clip(0.3 + 0.4 * truth + rng.normal(0, 0.15, truth.shape), 0, 1)[..., None]
    wrong = [np.mean(segment(noisy, smoothing=width) != truth) for width in (0.0, 1.5)]
    assert wrong[0] > 0.05
    assert wrong[1] < 0.03


def test_threshold_and_functions():
    images = np.linspace(0, 1, 16).reshape(1, 4, 4, 1)
    assert_array_equal(segment(images, "threshold", level=0.7)[0], images[0, ..., 0] > 0.7)
    assert_array_equal(segment(images, lambda x: np.zeros(x.shape[:3], int)), np.zeros((1, 4, 4)))
    assert segment(np.zeros((1, 4, 4, 1)), "threshold").max() == 0


def test_colours_are_those_of_the_fit(rng):
    palette = np.array([[0.9, 0.9, 0.9], [0.1, 0.1, 0.2], [0.8, 0.1, 0.1]])
    order = np.array([2, 0, 1])  # places in the palette from dark to bright: 1, 2, 0
    truth = rng.integers(0, 3, size=(4, 12, 12))
    images = np.clip(palette[truth] + rng.normal(0, 0.02, (4, 12, 12, 3)), 0, 1)
    assert_array_equal(segment(images, "colours", phases=3), order[truth])
    colours = Colours(3).fit(images)
    assert_array_equal(colours(images[:1] * 0.95), order[truth[:1]])
    with pytest.raises(InputError, match="must have 3 channels, as those fit had. Received: 1"):
        colours(images[..., :1])


def test_grey():
    assert_allclose(to_grey(np.broadcast_to([0.0, 1.0, 0.0], (1, 4, 4, 3))), 0.7152)
    assert_allclose(to_grey(np.broadcast_to([0.0, 1.0], (1, 4, 4, 2))), 0.5)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: segment(np.full((2, 8, 8, 1), 0.5)),
            "2 grey levels in at least one image.*Received: 2 images with fewer, about 0.5",
        ),
        (lambda: segment(np.full((2, 8, 8, 1), 128.0)), r"in \[0, 1\]; divide 8-bit images by 255. Received: 128"),
        (lambda: segment(np.full((2, 8, 8, 1), np.nan)), "finite"),
        (lambda: segment(np.zeros((8, 8, 1))), r"images \(n, height, width, channels\)"),
        (lambda: segmenter("kmeans"), "one of otsu, threshold, colours, or a function. Received: 'kmeans'"),
        (lambda: segmenter("otsu", phases=9), "2 to 5 phases, with smoothing of at least 0. Received: 9"),
        (lambda: segment(np.zeros((2, 8, 8, 1)), "colours"), "at least 2 colours. Received: 1"),
        (lambda: Colours(2)(np.zeros((2, 8, 8, 1))), "call fit with them first"),
    ],
)
def test_refuses(call, words):
    with pytest.raises(InputError, match=words):
        call()


def test_otsu_of_a_constant_image_is_that_of_all_together(rng):
    images = np.concatenate([rng.choice([0.2, 0.8], (2, 8, 8, 1)), np.full((2, 8, 8, 1), 0.1)])
    images[3] = 0.9
    labels = segment(images)
    np.testing.assert_array_equal(labels[:2], (images[:2, ..., 0] > 0.5).astype(int))
    np.testing.assert_array_equal(labels[2:], np.stack([np.zeros((8, 8)), np.ones((8, 8))]))
