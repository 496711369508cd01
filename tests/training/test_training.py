import json
import re
import shutil

import keras
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

import kmatgen as kg
from kmatgen import presets, training
from kmatgen.run import Run
from tests.tiny_runs import tiny


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two epochs; tests leave it as it is, or change a `copy`."""
    return training.train(tiny(), tmp_path_factory.mktemp("two") / "run", verbose=0)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of four epochs that was never interrupted."""
    return training.train(tiny(**{"fit.epochs": 4}), tmp_path_factory.mktemp("four") / "run", verbose=0)


def copy(run, folder):
    return shutil.copytree(run.folder, folder / "copy")


def test_a_run_is_complete(run):
    names = {path.name for path in run.folder.iterdir()}
    pictures = {"samples.png", "real.png", "reconstructions.png", "traversal.png", "loss_curves.png"}
    assert names == pictures | {
        "config.json", "data.json", "metrics.json", "history.csv", "report.html", "checkpoints", "samples",
    }  # fmt: skip
    assert {path.name for path in (run.folder / "checkpoints").iterdir()} == {"epoch_0002.keras", "best.keras"}
    metrics = json.loads((run.folder / "metrics.json").read_text())
    assert metrics["best"]["epoch"] == 1  # samples are judged after the first epoch and after every fifth
    assert np.isfinite(metrics["best"]["val_mmd"])
    assert metrics["epochs"] == 2
    assert metrics["last"]["val_reconstruction_loss"] > metrics["floors"]["val_reconstruction_loss"] > 0
    assert json.loads((run.folder / "config.json").read_text()) == tiny()
    page = (run.folder / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 5
    assert not re.search(r'(src|href)="(?!data:)', page)


@pytest.mark.slow
def test_a_run_repeats_from_its_configuration(run, tmp_path):
    again = training.train(Run.open(run.folder).config, tmp_path / "again", verbose=0)
    pd.testing.assert_frame_equal(run.history(), again.history())


def test_resume_equals_the_run_that_was_not_interrupted(run, whole, tmp_path):
    half = training.resume(copy(run, tmp_path), {"fit.epochs": 4}, verbose=0)
    pd.testing.assert_frame_equal(half.history(), whole.history())
    for one, other in zip(half.load_model().get_weights(), whole.load_model().get_weights(), strict=True):
        assert_array_equal(one, other)


@pytest.mark.slow
def test_resume_goes_on_with_random_crops(tmp_path, rng):
    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(6):
        Image.fromarray(rng.integers(0, 255, (40, 40), np.uint8)).save(folder / f"{index}.png")
    crops = {"data.source": str(folder), "data.micrographs.per_image": 4, "data.micrographs.augment": ["flip_x"]}
    whole = training.train(tiny(**crops, **{"fit.epochs": 3}), tmp_path / "whole", verbose=0)
    half = training.train(tiny(**crops), tmp_path / "half", verbose=0)
    training.resume(half.folder, {"fit.epochs": 3}, verbose=0)
    pd.testing.assert_frame_equal(half.history(), whole.history())


def test_an_interrupted_run_goes_on(whole, tmp_path, monkeypatch):
    class Interrupt(keras.callbacks.Callback):
        def __init__(self, *arguments, **options):
            super().__init__()

        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.optimizer.iterations) == 6:  # in the second epoch
                raise KeyboardInterrupt

    monkeypatch.setattr(training, "SampleGrid", Interrupt)
    with pytest.raises(KeyboardInterrupt):
        training.train(whole.config, tmp_path / "run", verbose=0)
    monkeypatch.undo()
    assert Run.open(tmp_path / "run").finished_epochs == 1
    run = training.resume(tmp_path / "run", verbose=0)
    pd.testing.assert_frame_equal(run.history(), whole.history())


def test_a_run_interrupted_before_its_first_epoch_was_over_goes_on(tmp_path, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(kg.VAE, "fit", interrupt)
    with pytest.raises(KeyboardInterrupt):
        training.train(tiny(), tmp_path / "run", verbose=0)
    monkeypatch.undo()
    assert training.resume(tmp_path / "run", verbose=0).finished_epochs == 2


def test_a_training_that_fails_in_its_first_epoch_leaves_its_folder_as_it_was(tmp_path, monkeypatch):
    class Fails(keras.callbacks.Callback):
        def __init__(self, *arguments, **options):
            super().__init__()

        def on_epoch_end(self, epoch, logs=None):
            raise kg.TrainingError("no")  # when pictures and history are written already

    monkeypatch.setattr(training, "EpochCheckpoint", Fails)
    (tmp_path / "mine").mkdir()
    for folder in (tmp_path / "mine", tmp_path / "new"):
        with pytest.raises(kg.TrainingError):
            training.train(tiny(), folder, verbose=0)
    assert [path.name for path in tmp_path.rglob("*")] == ["mine"]


def test_what_somebody_else_put_into_the_folder_of_a_failed_run_stays(tmp_path):
    run = Run(tmp_path / "run", tiny())
    run.begin({})
    (run.folder / "notes.txt").write_text("mine")
    run.discard()
    assert [path.name for path in run.folder.iterdir()] == ["notes.txt"]
    earlier = Run(tmp_path / "earlier", tiny())
    earlier.begin({})
    Run.open(earlier.folder).discard()  # has not begun it
    assert (earlier.folder / "config.json").is_file()


def test_occupied_folders_are_refused_and_left_alone(run, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(kg.InputError, match="holds other files"):
        training.train(tiny(), tmp_path, verbose=0)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    before = (run.folder / "history.csv").read_bytes()
    with pytest.raises(kg.InputError, match=r"already holds a run; go on with --resume"):
        training.train(tiny(), run.folder, verbose=0)
    assert (run.folder / "history.csv").read_bytes() == before


def test_resume_with_other_settings_is_refused(run, tmp_path):
    with pytest.raises(kg.InputError, match=r"fit\.batch_size=8.*Received: fit\.batch_size=16"):
        training.resume(run.folder, {"fit.batch_size": 16, "fit.epochs": 9}, verbose=0)
    with pytest.raises(kg.InputError, match=r"fit has the settings .*Received: 'fit\.epoch'"):
        training.resume(run.folder, {"fit.epoch": 4}, verbose=0)
    with pytest.raises(kg.InputError, match=r"fit\.epochs takes a value like 2\. Received: \"many\""):
        training.resume(run.folder, {"fit.epochs": "many"}, verbose=0)
    with pytest.raises(kg.InputError, match=r"has 2 finished epochs.*Received: fit\.epochs=1\."):
        training.resume(run.folder, {"fit.epochs": 1}, verbose=0)
    assert Run.open(run.folder).config == run.config
    with pytest.raises(kg.InputError, match="A run is a folder with a config.json"):
        training.resume(tmp_path / "nothing", verbose=0)


def test_changed_data_are_noticed_on_resume(tmp_path, rng):
    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(6):
        Image.fromarray(rng.integers(0, 255, (32, 32), np.uint8)).save(folder / f"{index}.png")
    config = tiny(**{"data.source": str(folder), "fit.epochs": 1, "fit.evaluate_every": 0})
    run = training.train(config, tmp_path / "run", verbose=0)
    Image.fromarray(rng.integers(0, 255, (32, 32), np.uint8)).save(folder / "0.png")
    with pytest.raises(kg.InputError, match="have changed since it began"):
        training.resume(run.folder, {"fit.epochs": 2}, verbose=0)
    assert Run.open(run.folder).config == config


def test_a_setting_newer_than_the_run_can_be_given_on_resume(run, tmp_path):
    config = json.loads((run.folder / "config.json").read_text())
    del config["fit"]["minutes"], config["strategy"]
    older = Run(tmp_path, config)
    older.adopt({"fit.minutes": 5, "strategy": "none"})
    assert (older.config["fit"]["minutes"], older.config["strategy"]) == (5, "none")


def test_no_folder_is_made_for_data_that_cannot_be_used(tmp_path):
    with pytest.raises(kg.InputError, match="Received"):
        training.train(tiny(**{"data.source": str(tmp_path / "gone")}), tmp_path / "run", verbose=0)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("setting", "value", "match"),
    [
        ("fit.batch_size", 64, "Received: 36 samples"),
        ("fit.monitor", "val_accuracy", "Received: 'val_accuracy'"),
        ("fit.minutes", -1, "minutes above 0"),
    ],
)
def test_no_folder_is_made_for_settings_that_cannot_be_used(tmp_path, setting, value, match):
    """Mended, the same command has to work."""
    with pytest.raises(kg.InputError, match=match):
        training.train(tiny(**{setting: value}), tmp_path / "run", verbose=0)
    assert not (tmp_path / "run").exists()


def test_bad_precision():
    with pytest.raises(kg.InputError, match="Received: 'float8'"):
        training.build_model(tiny(precision="float8"), (16, 16, 1))


def test_precision_ends_with_the_build():
    model = training.build_model(tiny(precision="mixed_float16"), (16, 16, 1))
    assert model.computes_in_float16
    assert keras.config.dtype_policy().name == "float32"


def test_a_gan_is_watched_averaged_and_resumed(tmp_path):
    settings = {
        "data.size": 32,
        "data.polycrystal.n": 20,
        "fit.batch_size": 8,
        "fit.epochs": 1,
        "fit.ema": 0.9,
        "networks.generator.config.filters": 4,
        "networks.discriminator.config.filters": 4,
    }
    whole = training.train(presets.resolve("dcgan_64", {**settings, "fit.epochs": 2}), tmp_path / "whole", verbose=0)
    half = training.train(presets.resolve("dcgan_64", settings), tmp_path / "half", verbose=0)
    training.resume(half.folder, {"fit.epochs": 2}, verbose=0)
    pd.testing.assert_frame_equal(half.history(), whole.history())
    assert {"diversity", "findings"} <= set(whole.history())
    model, again = whole.load_model(), half.load_model()
    assert model.averages["generator"].updates == again.averages["generator"].updates == 4
    assert_array_equal(model.generate(2, seed=0), again.generate(2, seed=0))
    assert (whole.folder / "adversarial_curves.png").is_file()
    assert "Adversarial curves" in (whole.folder / "report.html").read_text()


@pytest.mark.slow
def test_a_conditional_gan_is_asked_judged_and_resumed(tmp_path):
    settings = {
        "data.size": 16,
        "data.phases.n": 50,
        "data.phases.correlation_length": 2.0,
        "fit.batch_size": 8,
        "fit.epochs": 1,
        "networks.generator.config.filters": 4,
        "networks.discriminator.config.filters": 4,
    }
    run = training.train(presets.resolve("wgan_gp_phases", settings), tmp_path / "run", verbose=0)
    assert 0 <= json.loads((run.folder / "metrics.json").read_text())["phase_fraction_error"] <= 1
    assert (run.folder / "phase_fractions.png").is_file()
    assert "Phase fraction, asked and made" in (run.folder / "report.html").read_text()
    training.resume(run.folder, {"fit.epochs": 2}, verbose=0)
    assert len(run.history()) == 2
    assert {"volume_fraction", "gradient_penalty"} <= set(run.history())


@pytest.mark.slow
def test_a_diffusion_is_averaged_sampled_and_resumed(tmp_path):
    settings = {
        "data.size": 16,
        "data.polycrystal.n": 20,
        "data.polycrystal.colouring": "grey",
        "data.channels": 1,
        "fit.batch_size": 8,
        "fit.epochs": 1,
        "fit.evaluate_every": 0,
        "model.config.steps": 2,
        "networks.denoiser.config.filters": [4],
    }
    whole = training.train(presets.resolve("diffusion_32", {**settings, "fit.epochs": 2}), tmp_path / "a", verbose=0)
    half = training.train(presets.resolve("diffusion_32", settings), tmp_path / "b", verbose=0)
    training.resume(half.folder, {"fit.epochs": 2}, verbose=0)
    pd.testing.assert_frame_equal(half.history(), whole.history())
    model, again = whole.load_model(), half.load_model()
    assert model.averages["denoiser"].updates == again.averages["denoiser"].updates == 4
    assert_array_equal(model.generate(2, seed=0), again.generate(2, seed=0))
    assert {path.name for path in (whole.folder / "samples").iterdir()} == {"epoch_0001.png", "epoch_0002.png"}
    assert "Loss curves" in (whole.folder / "report.html").read_text()
