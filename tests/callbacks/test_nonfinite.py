import math

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_array_equal

import kmatgen as kg
from kmatgen.callbacks import EpochCheckpoint, StopOnNonFinite, checkpoints
from kmatgen.callbacks.nonfinite import _rank
from kmatgen.cli import run_or_explain
from tests.tiny_models import MODELS, compiled, images


@pytest.fixture(autouse=True)
def unchecked_data(monkeypatch):
    """Data with a NaN are refused before they reach a loss; here they stand in for a loss that overflows."""
    monkeypatch.setattr("kmatgen.models.batches.require", lambda holds, *message, of: of)


def eager(name):
    """Tracing takes longer than all the steps of these tests."""
    return compiled(MODELS[name], run_eagerly=True)


def fit(model, step, callbacks):
    """Two epochs of 4 batches of 8 samples, of which the one of that step holds a NaN."""
    samples = images(64)
    samples[8 * (step - 1) + 3, 0, 0, 0] = np.nan
    data = tf.data.Dataset.from_tensor_slices(samples).batch(8)
    model.fit(data, steps_per_epoch=4, epochs=2, callbacks=callbacks, verbose=0)


def test_the_term_and_the_step_are_named():
    model = eager("wgan_gp")
    with pytest.raises(kg.TrainingError, match=r"^gradient_penalty is nan at step 3; there is no checkpoint"):
        fit(model, 3, [StopOnNonFinite()])
    assert int(model.optimizer.iterations) == 3


def test_a_loss_without_terms():
    with pytest.raises(kg.TrainingError, match=r"^d_loss is nan at step 2;"):
        fit(eager("dcgan"), 2, [StopOnNonFinite()])


def test_several_steps_per_execution():
    with pytest.raises(kg.TrainingError, match=r"^d_loss is nan at a step from 5 to 8;"):
        fit(compiled(MODELS["dcgan"], steps_per_execution=4), 6, [StopOnNonFinite()])


def test_the_checkpoint_of_the_epoch_before_stays_and_loads(tmp_path):
    model = eager("dcgan")
    with pytest.raises(kg.TrainingError, match=r"at step 6; the last good checkpoint is .*epoch_0001\.keras\.$"):
        fit(model, 6, [StopOnNonFinite(tmp_path), EpochCheckpoint(tmp_path)])
    assert [path.name for _, path in checkpoints(tmp_path)] == ["epoch_0001.keras"]
    loaded = kg.load_model(tmp_path / "epoch_0001.keras")
    assert all(np.isfinite(weight).all() for weight in loaded.get_weights())
    assert int(loaded.optimizer.iterations) == 4


def test_weights_that_break_without_a_loss(tmp_path):
    model = eager("dcgan")
    callbacks = [StopOnNonFinite(tmp_path), EpochCheckpoint(tmp_path)]
    model.fit(images(16), batch_size=8, epochs=1, callbacks=callbacks, verbose=0)
    kernel = model.generator.trainable_weights[-1]
    for callback in callbacks:
        callback.set_model(model)
    kernel.assign(np.full(kernel.shape, np.inf))
    with pytest.raises(kg.TrainingError, match=r"^The weight .* is not finite after step 2; the last good .*0001"):
        callbacks[0].on_epoch_end(1)


def test_terms_come_before_totals():
    model = eager("gan")
    names = ["g_loss", "d_loss", "d_real", "d_fake", "feature_matching", "r1", "two_point_correlation"]
    assert set(names) == {metric.name for metric in model.metrics}
    ranked = sorted(names, key=lambda name: _rank(model, name))
    assert ranked == ["r1", "feature_matching", "two_point_correlation", "d_loss", "g_loss", "d_real", "d_fake"]


def test_infinite_and_first_of_several():
    model = eager("vae")
    guard = StopOnNonFinite()
    guard.set_model(model)
    guard.on_train_batch_end(0, {"loss": 1.0})
    with pytest.raises(kg.TrainingError, match=r"^kl_loss is inf at step 0;"):
        guard.on_train_batch_end(0, {"loss": math.inf, "kl_loss": math.inf, "reconstruction_loss": 1.0})


def test_a_good_training_goes_on():
    model = eager("dcgan")
    before = model.generator.get_weights()
    model.fit(images(16), batch_size=8, callbacks=[StopOnNonFinite()], verbose=0)
    assert int(model.optimizer.iterations) == 2
    with pytest.raises(AssertionError):
        assert_array_equal(before[0], model.generator.get_weights()[0])


def test_the_command_line_prints_one_sentence(capsys):
    def program():
        raise kg.TrainingError("d_loss is nan at step 2; there is no checkpoint to go back to.")

    with pytest.raises(SystemExit) as stop:
        run_or_explain(program)
    assert stop.value.code == 2
    assert capsys.readouterr().err == "Error: d_loss is nan at step 2; there is no checkpoint to go back to.\n"
