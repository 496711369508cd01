"""Training on crystals, from a table of theirs to the files of an export's samples."""

import json

import numpy as np
import pandas as pd
import pytest

import kmatgen as kg
from kmatgen import presets, training
from kmatgen.sampling import export_run, write_samples
from tests.tiny_runs import SMALL_DENOISER, perovskite_data


def test_a_diffusion_trains_samples_and_exports(tmp_path):
    """From a csv table to CIF files of an export."""
    config = presets.resolve("crystal_diffusion", {**perovskite_data(tmp_path), **SMALL_DENOISER})
    run = training.train(config, tmp_path / "run", verbose=0)
    assert (run.folder / "report.html").is_file()
    export_run(run, tmp_path / "export")
    write_samples(tmp_path / "export", 4, 0, tmp_path / "samples")
    assert len(list((tmp_path / "samples" / "cif").glob("*.cif"))) == 4
    manifest = json.loads((tmp_path / "export" / "manifest.json").read_text())
    assert "Angstrom" in manifest["units"]


@pytest.mark.slow
def test_a_vae_predicts_resumes_and_exports(tmp_path):
    small = {f"networks.{role}.config.width": 8 for role in ("encoder", "decoder")}
    settings = {
        **perovskite_data(tmp_path),
        "data.crystals.properties": ["density"],
        # Else a longer training cools down more slowly.
        "compile.optimizer.config.learning_rate.config.decay_steps": 20,
        **small,
    }
    config = presets.resolve("crystal_vae", settings)
    whole = training.train({**config, "fit": {**config["fit"], "epochs": 2}}, tmp_path / "whole", verbose=0)
    half = training.train(config, tmp_path / "half", verbose=0)
    training.resume(half.folder, {"fit.epochs": 2}, verbose=0)
    pd.testing.assert_frame_equal(half.history(), whole.history())
    assert {"property_loss", "val_coords_loss", "val_kl_loss"} <= set(whole.history())
    assert (whole.folder / "reconstructions.png").is_file()
    export_run(whole, tmp_path / "export")
    write_samples(tmp_path / "export", 4, 0, tmp_path / "samples")
    with np.load(tmp_path / "samples" / "samples.npz") as samples:
        assert {"lattice", "species", "coords", "mask"} <= set(samples)


@pytest.mark.slow
def test_a_diffusion_of_tensors_trains_samples_and_exports(tmp_path):
    settings = {
        **perovskite_data(tmp_path, 24),
        "data.crystals.representation.config.sites": 36,
        "fit.batch_size": 4,
        "networks.denoiser.config.filters": [16],
        "model.config.steps": 2,
    }
    run = training.train(presets.resolve("crystens_diffusion", settings), tmp_path / "run", verbose=0)
    assert (run.folder / "report.html").is_file()
    samples = run.load_model().generate(3, seed=0)
    assert samples["lattice"].shape == (3, 6)
    assert samples["coords"].shape == (3, 36, 3)
    export_run(run, tmp_path / "export")
    write_samples(tmp_path / "export", 3, 0, tmp_path / "samples")
    assert (tmp_path / "samples" / "crystals.csv").is_file()


def test_only_a_vae_predicts_properties():
    config = presets.resolve("crystal_wgan_gp", {"data.crystals.properties": ["density"]})
    with pytest.raises(kg.InputError, match=r"predicted by crystal_vae; .*Received: crystal_wgan_gp"):
        training.build_model(config, {"coords": (5, 3)})


@pytest.mark.parametrize(
    ("preset", "shape", "match"),
    [
        ("vae", {"coords": (5, 3)}, r"a preset such as crystal_diffusion\. Received: vae with polycrystal"),
        ("crystal_diffusion", (64, 64, 1), r"are for crystals.*Received: crystal_diffusion with prototypes"),
    ],
)
def test_presets_refuse_samples_of_another_kind(preset, shape, match):
    with pytest.raises(kg.InputError, match=match):
        training.build_model(presets.resolve(preset), shape)
