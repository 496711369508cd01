import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose
from PIL import Image

import kmatgen as kg
from kmatgen.callbacks import AdversarialCurves
from kmatgen.plotting import adversarial_curves
from tests.tiny_models import MODELS, batched, compiled

HISTORY = {"g_loss": [2.0, 1.0], "d_loss": [1.0, 1.4], "d_real": [0.9, 0.5], "d_fake": [0.1, 0.5]}


@pytest.fixture
def drawn(monkeypatch):
    """The lines of the figures written, by panel and label."""
    figures = []
    save = Figure.savefig

    def spy(figure, *arguments, **options):
        figures.append([{line.get_label(): line.get_xydata() for line in axes.lines} for axes in figure.axes])
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", spy)
    return figures


def test_curves_of_probabilities(tmp_path, drawn):
    history = pd.DataFrame({**HISTORY, "val_d_loss": [1.2, 1.3], "epoch": [4, 5]})
    path = adversarial_curves(history, tmp_path / "deep" / "curves.png", probabilities=True)
    with Image.open(path) as picture:
        assert picture.size == (1100, 440)
    losses, scores = drawn[0]
    assert set(losses) == {"g_loss", "d_loss", "d_loss (held out)", "d_loss of 2 log 2"}
    assert_allclose(losses["d_loss (held out)"], [[5, 1.2], [6, 1.3]])
    assert_allclose(losses["d_loss of 2 log 2"][:, 1], 1.3862944)
    assert set(scores) == {"d_real", "d_fake", "1/2"}
    assert_allclose(scores["1/2"][:, 1], 0.5)


def test_curves_of_scores_have_no_equilibrium_drawn(tmp_path, drawn):
    adversarial_curves(HISTORY, tmp_path / "curves.png")
    losses, scores = drawn[0]
    assert (set(losses), set(scores)) == ({"g_loss", "d_loss"}, {"d_real", "d_fake"})
    assert_allclose(losses["g_loss"], [[1, 2.0], [2, 1.0]])


def test_a_history_without_scores(tmp_path):
    with pytest.raises(kg.InputError, match=r"need d_real, d_fake in the history\. Received: \['g_loss', 'd_loss'\]"):
        adversarial_curves({"g_loss": [1.0], "d_loss": [1.0]}, tmp_path / "curves.png")


@pytest.mark.parametrize(("every", "lengths"), [(None, [3]), (2, [2, 3])])
def test_the_callback(tmp_path, drawn, every, lengths):
    model = compiled(MODELS["dcgan"], run_eagerly=True)
    history = model.fit(batched(8), epochs=3, callbacks=[AdversarialCurves(tmp_path, every)], verbose=0).history
    assert (tmp_path / "adversarial_curves.png").is_file()
    assert [len(losses["d_loss"]) for losses, _ in drawn] == lengths
    losses, scores = drawn[-1]
    assert_allclose(losses["d_loss"][:, 1], history["d_loss"])
    assert "1/2" in scores
    assert np.array_equal(losses["d_loss"][:, 0], [1, 2, 3])


def test_the_callback_refuses_other_models(tmp_path):
    with pytest.raises(kg.InputError, match=r"Received: \['kl_loss', 'kl_weight', 'loss', 'reconstruction_loss'\]"):
        compiled(MODELS["vae"], run_eagerly=True).fit(batched(8), callbacks=[AdversarialCurves(tmp_path)], verbose=0)
