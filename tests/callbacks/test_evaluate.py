import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

import kmatgen as kg
from kmatgen.callbacks import BestCheckpoint, EvaluateSamples
from kmatgen.callbacks.evaluate import _of_chief
from kmatgen.evaluation import Metric
from tests.tiny_models import MODELS, compiled, two_replicas

REAL = np.random.default_rng(3).random((24, 16, 16, 1), np.float32)
EXACT = Metric("mean", "difference of mean grey levels", lambda view: view.grey, lambda r, g: abs(r.mean() - g.mean()))


def vae():
    return compiled(MODELS["vae"])


def test_stock_callbacks_can_watch_samples(tmp_path):
    model, judge = vae(), EvaluateSamples(REAL, every=2, n=16)
    best = keras.callbacks.ModelCheckpoint(
        tmp_path / "best.keras", monitor="val_two_point", mode="min", save_best_only=True
    )
    stop = keras.callbacks.EarlyStopping(monitor="val_kid", mode="min", patience=50)
    history = model.fit(REAL, batch_size=8, epochs=4, callbacks=[judge, best, stop], verbose=0).history
    for name in ("val_kid", "val_two_point"):
        assert np.isfinite(history[name]).tolist() == [True, True, False, True]
    assert_allclose(best.best, np.nanmin(history["val_two_point"]))
    assert np.isfinite(stop.best)
    assert kg.load_model(tmp_path / "best.keras").generate(2, seed=0).shape == (2, 16, 16, 1)


def logs_of(judge, model, epochs, verbose=0):
    """What the callback writes after each of these epochs, without a training."""
    judge.set_model(model)
    judge.set_params({"verbose": verbose})
    history = {name: [] for name in judge.names}
    for epoch in epochs:
        logs = {}
        judge.on_epoch_end(epoch, logs)
        for name in judge.names:
            history[name].append(logs[name])
    return history


def test_the_value_is_that_of_the_models_samples():
    model, judge = vae(), EvaluateSamples(REAL, metrics=EXACT, n=8, seed=5)
    history = logs_of(judge, model, [0])
    assert_allclose(
        history["val_mean"][0], abs(model.generate(8, seed=5).mean() - judge.real.samples.mean()), rtol=1e-4
    )


def test_averaged_weights_are_judged():
    model, judge = vae(), EvaluateSamples(REAL, metrics=EXACT, n=8)
    ema = kg.callbacks.GeneratorEMA(0.9, network="decoder")
    history = model.fit(REAL, batch_size=8, epochs=1, callbacks=[ema, judge], verbose=0).history
    averaged = judge.look()["val_mean"]
    assert_allclose(history["val_mean"][0], averaged)
    model.averages.clear()
    assert abs(judge.look()["val_mean"] - averaged) > 1e-5


def test_what_cannot_be_computed_is_said_once(capsys):
    model, judge = vae(), EvaluateSamples(np.full_like(REAL, 0.5), every=1, metrics=("two_point",), n=8)
    history = logs_of(judge, model, [0, 1], verbose=2)
    assert np.isnan(history["val_two_point"]).all()
    assert capsys.readouterr().out.count("two_point cannot be computed: Otsu needs at least 2 grey levels") == 1


@pytest.mark.slow
def test_conditional_models_and_replicas():
    case = MODELS["conditional_gan"]
    with two_replicas().scope():
        model = compiled(case)
    judge = EvaluateSamples(REAL, n=8)
    history = model.fit(case.batched(), epochs=1, callbacks=[judge], verbose=0).history
    assert np.isfinite(history["val_two_point"]).all()


def test_a_resume_looks_when_the_run_would_have():
    judge = EvaluateSamples(REAL, every=3, metrics=EXACT, n=8, earlier=[{"val_mean": 0.1}])
    history = logs_of(judge, vae(), [1, 2])
    assert np.isfinite(history["val_mean"]).tolist() == [False, True]


def test_the_chiefs_value_travels():
    assert _of_chief(two_replicas(), 0.1 + 0.2) == 0.1 + 0.2
    assert np.isnan(_of_chief(two_replicas(), np.nan))


def test_best_checkpoint_keeps_the_least(tmp_path):
    model = vae()
    keeper = BestCheckpoint(tmp_path, "val_kid")
    keeper.set_model(model)
    changed = []
    for epoch, value in enumerate([0.5, np.nan, 0.2, 0.3]):
        before = keeper.path.stat().st_mtime_ns if keeper.path.exists() else 0
        keeper.on_epoch_end(epoch, {"val_kid": value})
        changed.append(keeper.path.stat().st_mtime_ns != before)
    assert changed == [True, False, True, False]
    assert [path.name for path in tmp_path.iterdir()] == ["best.keras"]
    later = BestCheckpoint(tmp_path, "val_kid", best=0.1)
    later.set_model(model)
    later.on_epoch_end(0, {"val_kid": 0.15})
    assert later.best == 0.1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"every": 0}, "Received: every=0"),
        ({"n": 1}, "n=1"),
        ({"metrics": "fid"}, "A metric is one of"),
        ({"real": REAL * 255}, "are in \\[0, 1\\]"),
    ],
)
def test_bad_arguments(arguments, words):
    with pytest.raises(kg.InputError, match=words):
        EvaluateSamples(**{"real": REAL, **arguments})


def test_real_samples_are_spread_over_all(rng):
    real = np.linspace(0, 1, 100)[:, None, None, None] * np.ones((1, 8, 8, 1))
    judge = EvaluateSamples(real, metrics=EXACT, n=5)
    assert_allclose(judge.real.samples[:, 0, 0, 0], [0, 25 / 99, 50 / 99, 74 / 99, 1], atol=0.006)
