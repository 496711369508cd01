import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

import kmatgen as kg
from kmatgen import plotting


def test_to_uint8_rounds_and_clips():
    assert_array_equal(plotting.to_uint8(np.array([-1.0, 0.0, 0.5, 0.999, 2.0])), [0, 0, 128, 255, 255])


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (2, "L"), (3, "RGB"), (4, "RGBA"), (5, "L")])
def test_to_picture(channels, mode):
    assert plotting.to_picture(np.zeros((4, 6, channels))).mode == mode


def test_image_grid_places_images(tmp_path):
    images = np.linspace(0, 1, 5)[:, None, None, None] * np.ones((1, 64, 64, 1))
    sheet = np.asarray(Image.open(plotting.image_grid(images, tmp_path / "deep" / "grid.png", columns=3)).convert("L"))
    assert sheet.shape == (2 * 66 - 2, 3 * 66 - 2)
    assert_array_equal(sheet[[0, 0, 0, 66, 66, 66], [0, 66, 132, 0, 66, 132]], [0, 64, 128, 191, 255, 255])
    with pytest.raises(kg.InputError, match=r"Received: \(0, 8, 8, 1\)"):
        plotting.image_grid(np.zeros((0, 8, 8, 1)), tmp_path / "none.png")


def test_image_grid_of_volumes(tmp_path):
    path = plotting.image_grid(np.ones((3, 16, 16, 16, 1)), tmp_path / "volumes.png", columns=3)
    with Image.open(path) as sheet:
        assert sheet.size == (3 * (2 * 32 + 2) - 2, 2 * 32)


def test_asked_figure(tmp_path):
    asked = np.linspace(0, 1, 5)[:, None] * np.ones((1, 2))
    assert plotting.asked_figure(asked, asked**2, tmp_path / "deep" / "asked.png").is_file()


def test_pair_grid_alternates_rows(tmp_path):
    upper, lower = np.zeros((4, 64, 64, 1)), np.ones((4, 64, 64, 1))
    sheet = np.asarray(Image.open(plotting.pair_grid(upper, lower, tmp_path / "pairs.png", columns=2)).convert("L"))
    assert_array_equal(sheet[[0, 66, 132, 198], 0], [0, 255, 0, 255])


def test_traversal_points_by_hand():
    points = plotting.traversal_points(3, dimensions=2, steps=3, span=2.0)
    assert_allclose(points, [[-2, 0, 0], [0, 0, 0], [2, 0, 0], [0, -2, 0], [0, 0, 0], [0, 2, 0]])
    assert plotting.traversal_points(2).shape == (18, 2)


def test_loss_curves_of_several_seeds(tmp_path):
    histories = [pd.DataFrame({"loss": 1 / np.arange(1, 7) + k, "val_loss": np.ones(6)}) for k in (0, 0.1)]
    path = plotting.loss_curves({"a": histories, "b": histories[:1]}, "loss", tmp_path / "curves.png")
    with Image.open(path) as picture:
        assert picture.size == (1430, 440)


def test_loss_curves_of_one_epoch(tmp_path):
    history = pd.DataFrame({"loss": [0.5]})
    assert plotting.loss_curves({"a": [history]}, "loss", tmp_path / "curves.png").is_file()


def test_distributions_lie_over_each_other(tmp_path, monkeypatch):
    drawn = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *args, **rest: drawn.append(self) or save(self, *args, **rest))
    panels = {
        "size": {"real": np.array([1.0, 2.0, np.nan, 3.0]), "made": np.array([1.0, 5.0])},
        "kind": {"real": {"a": 0.75, "b": 0.25}, "made": {"c": 0.6, "a": 0.4}},
        "nothing": {"real": np.array([]), "made": np.array([np.nan])},
    }
    path = plotting.distributions_figure(panels, tmp_path / "made" / "panels.png", most_classes=2)
    assert path.stat().st_size > 1000
    size, kind, *_ = drawn[0].axes
    assert size.get_xlabel() == "size"
    assert [text.get_text() for text in kind.get_xticklabels()] == ["a", "c"]
    assert_allclose([bar.get_height() for bar in kind.patches], [0.75, 0, 0.4, 0.6])


def test_band_and_density_curves(tmp_path, rng):
    curves = {"real": rng.random((20, 9)), "vae": rng.random((30, 9))}
    path = plotting.band_curves(np.arange(9), curves, tmp_path / "a/bands.png", "r / px", "S2(r)")
    values = {name: (rng.gamma(2, size=500), rng.random(500)) for name in ("vae", "real", "gan")}
    for written in (path, plotting.density_curves(values, tmp_path / "densities.png", "chord length / px")):
        with Image.open(written) as picture:
            assert picture.size == (770, 440)
            assert np.asarray(picture.convert("L")).std() > 10


def test_density_curves_of_one_value(tmp_path):
    same = {"real": (np.ones(5), np.ones(5)), "vae": (np.ones(3), np.ones(3))}
    assert plotting.density_curves(same, tmp_path / "same.png", "fraction").is_file()


def test_heat_maps_and_roc_curves(tmp_path, rng):
    images = rng.random((3, 8, 8, 1))
    path = plotting.heat_maps(images, images, images[..., 0], tmp_path / "maps.png", ["a", "b", "c"])
    with Image.open(path) as picture:
        assert picture.size == (594, 539)
    with pytest.raises(kg.InputError, match="Received: 3, 3, 3, 1"):
        plotting.heat_maps(images, images, images[..., 0], tmp_path / "maps.png", ["a"])
    rates = np.linspace(0, 1, 5)
    assert plotting.roc_curves({"vae": (rates, rates**0.5, 0.67)}, tmp_path / "roc.png").is_file()


def test_nearest_training_figure(tmp_path, rng):
    training, held_out, generated = (rng.random((n, 8, 8, 1)) for n in (30, 25, 20))
    flat = [samples.reshape(len(samples), -1) for samples in (training, held_out, generated)]
    found = kg.metrics.nearest_training(*flat, pairs=3)
    path = plotting.nearest_training_figure(found, generated, training, tmp_path / "deep" / "nearest.png")
    assert len(np.unique(np.asarray(Image.open(path)))) > 50
    with pytest.raises(kg.InputError, match="those that were compared, 20 generated ones. Received: 19 generated"):
        plotting.nearest_training_figure(found, generated[:19], training, tmp_path / "other.png")
    none = kg.metrics.nearest_training(*flat, pairs=0)
    assert plotting.nearest_training_figure(none, generated, training, tmp_path / "none.png").is_file()
