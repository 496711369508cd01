import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from kmatgen.cli import main
from tests.cli.commands import fails
from tests.data.cifs import cif, plain
from tests.tiny_runs import TINY

TINY_OPTIONS = ["--quiet", "--size", "16", "--epochs", "2", "--batch-size", "8"]
for path in ("networks.encoder.config.filters=[4,8]", "networks.decoder.config.filters=[8,4]"):
    TINY_OPTIONS += ["--set", path]


@pytest.fixture
def micrographs(tmp_path, rng):
    folder = tmp_path / "micrographs"
    folder.mkdir()
    for index in range(5):
        Image.fromarray(rng.integers(0, 255, (48, 64), np.uint8)).save(folder / f"{index}.png")
    return folder


def test_train_sample_export_resume(capsys, micrographs, tmp_path):
    (micrographs / "broken.png").write_bytes(b"")
    main(["train", "vae", "--data", str(micrographs), *TINY_OPTIONS])
    printed = capsys.readouterr()
    assert "runs/vae/report.html" in printed.out
    assert "1 skipped" in printed.err
    assert "broken.png" in printed.err
    assert "broken.png" in (tmp_path / "runs/vae/report.html").read_text()

    main(["sample", "runs/vae", "-n", "3", "--seed", "1"])
    main(["export", "runs/vae"])
    main(["sample", "saved_models/vae", "-n", "3", "--seed", "1", "--out", "served"])
    ours = np.load(tmp_path / "samples/vae_n3_seed1/samples.npz")["samples"]
    served = np.load(tmp_path / "served/samples.npz")["samples"]
    np.testing.assert_allclose(served, ours, atol=1e-5)
    names = ["grid.png", "sample_0000.png", "sample_0001.png", "sample_0002.png", "samples.npz"]
    assert sorted(path.name for path in (tmp_path / "served").iterdir()) == names
    with Image.open(tmp_path / "served/sample_0002.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), np.round(served[2, ..., 0] * 255))
    manifest = json.loads((tmp_path / "saved_models/vae/manifest.json").read_text())
    assert manifest["preset"] == "vae"
    assert manifest["data"]["files"] == 5
    assert str(tmp_path) not in manifest["command"]
    assert len(manifest["data"]["content_hash"]) == 64

    capsys.readouterr()
    main(["evaluate", "runs/vae", "-n", "8", "--metric", "two_point"])
    assert "two_point" in capsys.readouterr().out
    assert (tmp_path / "runs/vae/evaluation/evaluation.html").is_file()

    main(["train", "--resume", "runs/vae", "--epochs", "3", "--quiet"])
    assert len((tmp_path / "runs/vae/history.csv").read_text().splitlines()) == 4


@pytest.mark.slow
def test_a_conditional_gan_from_training_to_export(capsys, tmp_path):
    small = {"data.phases.n": 50, "data.phases.correlation_length": 2.0, "fit.evaluate_every": 0}
    small |= {f"networks.{role}.config.filters": 4 for role in ("generator", "discriminator")}
    options = ["--quiet", "--size", "16", "--epochs", "1", "--batch-size", "8"]
    options += [part for path, value in small.items() for part in ("--set", f"{path}={value}")]
    main(["train", "wgan_gp_phases", *options])
    main(["sample", "runs/wgan_gp_phases", "-n", "3", "--condition", "0.3", "--out", "ours"])
    assert "Warning" not in capsys.readouterr().err
    main(["export", "runs/wgan_gp_phases"])
    main(["sample", "saved_models/wgan_gp_phases", "-n", "3", "--condition", "[0.3]", "--out", "served"])
    ours, served = (np.load(tmp_path / folder / "samples.npz")["samples"] for folder in ("ours", "served"))
    np.testing.assert_allclose(served, ours, atol=1e-5)
    for model, out in (("runs/wgan_gp_phases", "run_beyond"), ("saved_models/wgan_gp_phases", "served_beyond")):
        main(["sample", model, "-n", "2", "--condition", "[0.3, 5]", "--out", out])
        assert "what lies beyond is a guess. Asked: [0.3, 5]." in capsys.readouterr().err
    judged = "evaluate", "saved_models/wgan_gp_phases", "--data", "runs/wgan_gp_phases", "-n", "4"
    main([*judged, "--metric", "phase_fraction", "--condition", "0.3"])
    assert "generated 4" in capsys.readouterr().out
    assert "needs a condition of shape (1,)" in fails(capsys, *judged)
    assert "Received: 'much'" in fails(capsys, *judged, "--condition", "much")
    assert "needs a condition of shape (1,)" in fails(capsys, "sample", "saved_models/wgan_gp_phases")
    assert "Received: 'much'" in fails(capsys, "sample", "saved_models/wgan_gp_phases", "--condition", "much")


def test_help_has_an_example_each(capsys):
    for command in ("train", "sample", "evaluate", "compare", "export", "data", "presets", "study"):
        main([command, "--help"])
        text = capsys.readouterr().out
        assert f"kmatgen {command}" in text.split("Example")[1]


def test_help_does_not_import_tensorflow():
    code = "import sys\nfrom kmatgen.cli import main\nmain(['--help'])\nprint('tensorflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_an_error_is_all_that_is_said(tmp_path):
    """None of the lines that TensorFlow's libraries write when they are loaded stands before it."""
    code = "from kmatgen.cli import main\nmain(['sample', 'gone'])"
    environ = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environ)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: Samples come from")
    assert done.stderr.count("\n") == 1


def test_data_describes(capsys, micrographs):
    main(["data", str(micrographs)])
    text = capsys.readouterr().out
    assert "64 x 48" in text
    assert "uint8" in text
    assert "pixel size um      unknown" in text
    assert "pixel values       0 to 254\n" in text
    main(["data", str(micrographs), "--json"])
    assert json.loads(capsys.readouterr().out)["images"] == 5


def test_data_describes_crystals(capsys, tmp_path):
    (tmp_path / "good.cif").write_text(cif())
    (tmp_path / "bad.cif").write_text("")
    main(["data", str(tmp_path), "--refused", str(tmp_path / "refused.csv")])
    printed = capsys.readouterr()
    assert "sites              8 to 8, median 8" in printed.out
    assert "225: 1" in printed.out
    assert "bad.cif: empty: There is no text." in printed.err
    assert (tmp_path / "refused.csv").read_text() == "origin,reason,detail\nbad.cif,empty,There is no text.\n"
    main(["data", str(tmp_path), "--json", "--refused", str(tmp_path / "refused.csv")])
    assert json.loads(capsys.readouterr().out)["crystals"] == 1


@pytest.mark.parametrize(
    ("refused", "message"), [("good.cif", "or over an earlier report"), ("gone/a.csv", "a folder that exists")]
)
def test_data_overwrites_nothing(capsys, tmp_path, refused, message):
    (tmp_path / "good.cif").write_text(cif())
    with pytest.raises(SystemExit) as ended:
        main(["data", str(tmp_path), "--refused", str(tmp_path / refused)])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
    assert (tmp_path / "good.cif").read_text() == cif()


def test_presets_lists(capsys):
    main(["presets"])
    lines = capsys.readouterr().out.splitlines()
    assert next(line.split()[:2] for line in lines if line.startswith("vae")) == ["vae", "137,539"]


def test_version(capsys):
    main(["--version"])
    assert "0.1.0" in capsys.readouterr().out


class TestBadInput:
    def test_missing_and_empty_folder(self, capsys, tmp_path):
        assert "gone" in fails(capsys, "train", "vae", "--data", tmp_path / "gone")
        (tmp_path / "empty").mkdir()
        assert "Received" in fails(capsys, "train", "vae", "--data", tmp_path / "empty")
        assert "Received" in fails(capsys, "data", tmp_path / "empty")
        assert not (tmp_path / "runs").exists()

    @pytest.mark.parametrize("content", [b"", b"not an image", "truncated"])
    def test_only_unusable_files(self, capsys, tmp_path, rng, content):
        folder = tmp_path / "bad"
        folder.mkdir()
        if content == "truncated":
            Image.fromarray(rng.integers(0, 255, (64, 64), np.uint8)).save(folder / "whole.png")
            content = (folder / "whole.png").read_bytes()[:900]
            (folder / "whole.png").unlink()
        (folder / "bad.png").write_bytes(content)
        assert "bad" in fails(capsys, "train", "vae", "--data", folder, *TINY_OPTIONS)

    def test_strict_names_the_bad_file(self, capsys, micrographs):
        (micrographs / "broken.png").write_bytes(b"")
        assert "broken.png" in fails(capsys, "train", "vae", "--data", micrographs, "--strict", *TINY_OPTIONS)

    def test_strict_names_the_bad_crystal(self, capsys, tmp_path):
        for row, a in enumerate((4.0, 4.1, 4.2, 4.3)):
            (tmp_path / f"{row}.cif").write_text(plain(a=a))
        (tmp_path / "2.cif").write_text("")
        options = ["--data", tmp_path, "--strict", "--out", tmp_path / "run"]
        assert "2.cif is refused: empty." in fails(capsys, "train", "crystal_diffusion", *options)
        assert not (tmp_path / "run").exists()

    def test_images_smaller_than_the_patch(self, capsys, micrographs):
        sentence = fails(capsys, "train", "vae", "--data", micrographs, "--size", "64", "--quiet")
        assert "64" in sentence
        assert "48" in sentence

    def test_images_too_small_among_others(self, capsys, micrographs, tmp_path):
        Image.fromarray(np.zeros((8, 30), np.uint8)).save(micrographs / "tiny.png")
        sentence = fails(capsys, "train", "vae", "--data", micrographs, "--strict", *TINY_OPTIONS)
        assert "fit into every image" in sentence
        assert "tiny.png with 8 x 30 pixels" in sentence
        options = [*TINY_OPTIONS, "--epochs", "1"]
        main(["train", "vae", "--data", str(micrographs), *options])
        assert "tiny.png with 8 x 30 pixels" in capsys.readouterr().err
        assert "tiny.png" in (tmp_path / "runs/vae/report.html").read_text()

    def test_mixed_channels(self, capsys, micrographs, rng):
        Image.fromarray(rng.integers(0, 255, (48, 64, 3), np.uint8)).save(micrographs / "colour.png")
        assert "colour.png" in fails(capsys, "train", "vae", "--data", micrographs, *TINY_OPTIONS)
        main(["data", str(micrographs)])
        printed = capsys.readouterr()
        assert "channels           1: 5, 3: 1" in printed.out
        assert "--channels 1 (luminance) or --channels 3 (colour)" in printed.err

    def test_a_file_instead_of_its_folder(self, capsys, micrographs):
        for command in (["data"], ["train", "vae", "--data"]):
            assert "given as the folder that they are in" in fails(capsys, *command, micrographs / "0.png")

    def test_infinite_pixels(self, capsys, tmp_path):
        folder = tmp_path / "floats"
        folder.mkdir()
        Image.fromarray(np.full((32, 32), np.inf, np.float32)).save(folder / "inf.tif")
        assert "inf" in fails(capsys, "train", "vae", "--data", folder, *TINY_OPTIONS)

    def test_options(self, capsys, micrographs, tmp_path):
        assert "Received: 'vea'" in fails(capsys, "train", "vea")
        assert "Received: neither" in fails(capsys, "train")
        assert "Received: 'fit.epoch'" in fails(capsys, "train", "vae", "--set", "fit.epoch=3")
        assert "powers of two" in fails(capsys, "train", "vae", "--data", micrographs, "--size", "20", "--quiet")
        assert "epochs" in fails(capsys, "train", "vae", "--epochs", "many")
        assert "config.json" in fails(capsys, "train", "--resume", tmp_path / "gone")
        assert "RUN" in fails(capsys, "export")
        assert "Received" in fails(capsys, "sample", tmp_path / "gone")

    def test_wrong_settings(self, capsys, tmp_path):
        options = ["--quiet", "--size", "16", "--set", "data.polycrystal.n=20"]
        for setting, said in {
            "networks.encoder.builder=nonsense": "Received: 'nonsense'.",
            "compile.optimizer.class_name=nonsense": "Received: 'nonsense'.",
            "compile.kl_weight=NaN": 'Received: "NaN".',
            "data.source=": "Received: , which does not exist.",
        }.items():
            assert fails(capsys, "train", "vae", *options, "--set", setting).endswith(said)
        assert not (tmp_path / "runs").exists()

    def test_not_enough_memory(self, capsys, monkeypatch):
        def hungry(*arguments, **options):
            raise MemoryError("Unable to allocate 21.3 PiB for an array")

        monkeypatch.setattr("kmatgen.training.train", hungry)
        sentence = fails(capsys, "train", "vae")
        assert sentence.startswith("Error: There is not enough memory")
        assert sentence.endswith("Received: Unable to allocate 21.3 PiB for an array.")

    def test_occupied_and_unwritable_folders(self, capsys, tmp_path):
        tiny = [item for path, value in TINY.items() for item in ("--set", f"{path}={json.dumps(value)}")]
        (tmp_path / "file").write_text("mine")
        assert "file" in fails(capsys, "train", "vae", "--quiet", *tiny, "--out", tmp_path / "file" / "run")
        assert "file" in fails(capsys, "train", "vae", "--quiet", *tiny, "--out", tmp_path / "file")
        assert (tmp_path / "file").read_text() == "mine"

    def test_resume_with_other_settings(self, capsys, micrographs):
        main(["train", "vae", "--data", str(micrographs), *TINY_OPTIONS])
        sentence = fails(capsys, "train", "--resume", "runs/vae", "--batch-size", "4")
        assert "fit.batch_size=8" in sentence
        assert "autoencoder" in fails(capsys, "train", "autoencoder", "--resume", "runs/vae")
        assert "already holds a run" in fails(capsys, "train", "vae", "--data", micrographs, *TINY_OPTIONS)
        (micrographs.parent / "full").mkdir()
        (micrographs.parent / "full/x.txt").write_text("mine")
        assert "full" in fails(capsys, "sample", "runs/vae", "--out", micrographs.parent / "full")
