import keras
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

import kmatgen as kg
from kmatgen.callbacks import EpochCheckpoint, SampleGrid, checkpoints
from kmatgen.callbacks.runs import save_complete
from tests.tiny_models import MODELS, batched, compiled, images


def test_sample_grid_pictures_the_same_points(tmp_path):
    model = compiled(MODELS["vae"], run_eagerly=True)
    grid = SampleGrid(tmp_path, n=4, every=2, seed=3, images=images(4))
    model.fit(batched(), epochs=3, callbacks=[grid], verbose=0)
    names = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert names == [f"{kind}_{n:04d}.png" for kind in ("epoch", "reconstructed") for n in (1, 2, 3)]
    shown = np.asarray(Image.open(tmp_path / "samples" / "epoch_0003.png").convert("L"))
    # Enlarged four times, the first image is the first sample of that seed.
    expected = np.round(model.generate(4, seed=3)[0, ..., 0] * 255)
    assert_array_equal(shown[:64:4, :64:4], expected)


def test_sample_grid_skips_epochs(tmp_path):
    model = compiled(MODELS["vae"], run_eagerly=True)
    model.fit(batched(8), epochs=5, callbacks=[SampleGrid(tmp_path, n=4, every=3)], verbose=0)
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == [f"epoch_000{n}.png" for n in (1, 3, 5)]


def test_sample_grid_of_a_model_without_prior(tmp_path):
    model = compiled(MODELS["autoencoder"], run_eagerly=True)
    model.fit(batched(8), epochs=1, callbacks=[SampleGrid(tmp_path, images=images(4))], verbose=0)
    assert [path.name for path in (tmp_path / "samples").iterdir()] == ["reconstructed_0001.png"]


def test_epoch_checkpoint_keeps_the_latest(tmp_path):
    model = compiled(MODELS["vae"], run_eagerly=True)
    model.fit(batched(8), epochs=3, callbacks=[EpochCheckpoint(tmp_path, keep=2)], verbose=0)
    assert [number for number, _ in checkpoints(tmp_path)] == [2, 3]
    assert len(list(tmp_path.iterdir())) == 2
    loaded = kg.load_model(checkpoints(tmp_path)[-1][1])
    for one, other in zip(loaded.get_weights(), model.get_weights(), strict=True):
        assert_array_equal(one, other)


def test_half_written_checkpoints_are_not_found(tmp_path):
    (tmp_path / ".partial_12_epoch_0003.keras").write_bytes(b"half")
    (tmp_path / "epoch_x.keras").write_bytes(b"other")
    assert checkpoints(tmp_path) == []


def test_nothing_half_written_stays_beside_a_checkpoint(tmp_path, monkeypatch):
    model = compiled(MODELS["vae"], run_eagerly=True)
    (tmp_path / ".partial_12_epoch_0003.keras").write_bytes(b"of a process that was killed")
    save_complete(model, tmp_path / "epoch_0001.keras", True)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch_0001.keras"]
    before = (tmp_path / "epoch_0001.keras").read_bytes()

    def full(path):
        path.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(model, "save", full)
    with pytest.raises(OSError, match="No space left"):
        save_complete(model, tmp_path / "epoch_0001.keras", True)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch_0001.keras"]
    assert (tmp_path / "epoch_0001.keras").read_bytes() == before


def test_tensorboard(tmp_path):
    model = compiled(MODELS["vae"])
    model.fit(batched(8), epochs=1, callbacks=[keras.callbacks.TensorBoard(tmp_path)], verbose=0)
    events = list(tmp_path.rglob("events.out.tfevents*"))
    assert events
    assert b"kl_loss" in b"".join(path.read_bytes() for path in events)


def test_sample_grid_of_a_conditional_model(tmp_path):
    case = MODELS["acgan"]
    model = compiled(case, run_eagerly=True)
    both = [SampleGrid(tmp_path / "a", n=4), SampleGrid(tmp_path / "b", n=4, condition=3)]
    model.fit(case.batched(8), epochs=1, callbacks=both, verbose=0)
    for folder, condition in (("a", np.arange(4)), ("b", 3)):
        shown = np.asarray(Image.open(tmp_path / folder / "samples" / "epoch_0001.png").convert("L"))
        expected = np.round(model.generate(4, condition, seed=0)[1, ..., 0] * 255)
        assert_array_equal(shown[:64:4, 66::4], expected)
