"""The apps run as a user runs them, on the smallest data that they take."""

import csv
import json
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.data.cifs import plain

APPS = Path(__file__).parents[1] / "apps"


def run(monkeypatch, folder, name, *arguments):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", [str(APPS / name), *map(str, arguments)])
    runpy.run_path(str(APPS / name), run_name="__main__")


def test_microstructure_vae(tmp_path, monkeypatch, capsys):
    run(monkeypatch, tmp_path, "microstructure_vae.py", "--size", 16, "--epochs", 1)
    printed = capsys.readouterr().out
    assert "runs/microstructure_vae/report.html" in printed
    left = {path.name for path in (tmp_path / "runs/microstructure_vae").iterdir()}
    assert {"samples.png", "reconstructions.png", "traversal.png", "loss_curves.png", "report.html"} <= left
    assert (tmp_path / "saved_models/microstructure_vae/saved_model.pb").is_file()


def test_help_does_not_import_tensorflow():
    code = """
import contextlib, pathlib, runpy, sys
for path in map(str, sorted(pathlib.Path(sys.argv[1]).glob("*.py"))):
    sys.argv = [path, "--help"]
    with contextlib.suppress(SystemExit):
        runpy.run_path(path, run_name="__main__")
    print(path, "tensorflow" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code, APPS], capture_output=True, text=True)
    assert done.stdout.count("usage: ") == len(list(APPS.glob("*.py"))) == done.stdout.count(".py False\n")
    assert done.stderr == ""


def test_a_wrong_folder_is_one_sentence(tmp_path, monkeypatch, capsys):
    with pytest.raises(SystemExit) as stop:
        run(monkeypatch, tmp_path, "microstructure_vae.py", "--data", tmp_path / "gone")
    assert stop.value.code == 2
    printed = capsys.readouterr().err
    assert "gone" in printed
    assert "Traceback" not in printed
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_digits_gan(tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    run(monkeypatch, tmp_path, "digits_gan.py", "--data", "sklearn", "--epochs", 1, "--models", "vanilla", "infogan")
    with Image.open(tmp_path / "runs/digits_gan/digits_gan.png") as figure:
        assert figure.size[1] == 520
    assert (tmp_path / "runs/digits_gan/infogan_0001.png").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [("--dimensions", 3, "--size", 16), ("--data", "phases", "--phases", 3, "--size", 16), ("--size", 32)]
)
def test_microstructure_gan(tmp_path, monkeypatch, capsys, options):
    given = [*options, *(("--fraction",) if "--size" in options[1:] else ()), "--n", 200, "--epochs", 1]
    run(monkeypatch, tmp_path, "microstructure_gan.py", *given)
    printed = capsys.readouterr().out
    assert "runs/microstructure_gan/report.html" in printed
    left = {path.name for path in (tmp_path / "runs/microstructure_gan").iterdir()}
    asked = {"phase_fractions.png"} if "--fraction" in given else set()
    assert {"samples.png", "tiled.png", "adversarial_curves.png", "report.html"} | asked <= left
    assert (tmp_path / "saved_models/microstructure_gan/saved_model.pb").is_file()


@pytest.mark.slow
def test_microstructure_leaderboard(tmp_path, monkeypatch, capsys):
    small = ["data.polycrystal.n=80", "fit.batch_size=8", "data.polycrystal.grain_size=[5, 8]"]
    options = [part for setting in small for part in ("--set", setting)]
    options += ["--size", 16, "--minutes", 0.01, "-n", 16, "--families", "vae"]
    run(monkeypatch, tmp_path, "microstructure_leaderboard.py", *options)
    assert "runs/leaderboard/comparison/evaluation.html" in capsys.readouterr().out
    assert len((tmp_path / "runs/leaderboard/vae/history.csv").read_text().splitlines()) == 2
    # Called again, it judges what is there, unless that is something else.
    run(monkeypatch, tmp_path, "microstructure_leaderboard.py", *options)
    assert "vae: trained in an earlier call" in capsys.readouterr().out
    assert len((tmp_path / "runs/leaderboard/vae/history.csv").read_text().splitlines()) == 2
    with pytest.raises(SystemExit):
        run(monkeypatch, tmp_path, "microstructure_leaderboard.py", *options, "--data", "phases")
    assert 'was trained with data.source="polycrystal"' in capsys.readouterr().err


@pytest.mark.slow
def test_microstructure_anomalies(tmp_path, monkeypatch, capsys, rng):
    rows = ["path,primary_microconstituent"]
    for index in range(8):
        kind = "flat" if index < 5 else "rough"
        pixels = rng.normal(128, 5 if kind == "flat" else 60, (96, 96)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
        rows.append(f"{index}.png,{kind}")
    (tmp_path / "metadata.csv").write_text("\n".join(rows))
    options = ["--data", tmp_path, "--normal", "flat", "--size", 16, "--minutes", 0.01, "--out", tmp_path / "out"]
    run(monkeypatch, tmp_path, "microstructure_anomalies.py", *options)
    areas = json.loads((tmp_path / "out/areas.json").read_text())
    assert areas["vae"]["images"] == areas["contrast (no model)"]["images"] == 1.0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"areas.json", "roc.png", "vae_heat_maps.png"}


@pytest.mark.parametrize(
    ("table", "arguments", "sentence"),
    [
        (None, [], "at least two kinds, here flat, rough. Received: 'none of them'."),
        (None, ["--data", "flat"], "at least two kinds, here none. Received: 'none of them'."),
        ("path,kind\n0.png,flat\n", [], "names the class is one of path, kind. Received: 'primary_microconstituent'."),
        ("path,kind\nflat/0.png,flat\n", ["--column", "kind"], "here flat. Received: 'none of them'."),
    ],
)
def test_kinds_of_anomalies(table, arguments, sentence, tmp_path, monkeypatch, capsys):
    """By subfolder or by a table; what cannot be meant is refused before any training."""
    for kind in ("flat", "rough"):
        (tmp_path / kind).mkdir()
        Image.fromarray(np.eye(16, dtype=np.uint8)).save(tmp_path / kind / "0.png")
    if table:
        (tmp_path / "metadata.csv").write_text(table)
    options = ["--data", ".", *arguments, "--normal", "none of them"]
    with pytest.raises(SystemExit):
        run(monkeypatch, tmp_path, "microstructure_anomalies.py", *options)
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--family", "vae", "--representation", "crystens"],
            "diffusion of crystens. Received: --family vae --representation crystens.",
        ),
        (["--ask", "band_gap=1.5"], "--conditions or --properties make it learn. Received: band_gap."),
        (["-n", "0"], "-n and --jobs are at least 1, --symprec is above 0. Received: -n 0"),
        (["--fixed", "mine.cif"], "--fixed FILE and --hold PART go together."),
        (["--hold", "lattice"], "--fixed FILE and --hold PART go together."),
        (["--family", "vae", "--near", "mine.cif"], "for the diffusion of point clouds. Received: --family vae"),
        (["--near", "mine.cif", "--strength", "0"], "--strength is above 0 and at most 1. Received: 0.0."),
        (["--near", "mine.cif"], "Received: mine.cif, which does not exist."),
        (["--conditions", "space_group", "--ask", "space_group=231"], "from 1 to 230. Received: '231'."),
        (["--export", str(APPS)], "An export goes into a new folder"),
    ],
)
def test_crystal_generation_refuses_what_makes_no_sense(arguments, sentence, tmp_path, monkeypatch, capsys):
    """Before it trains."""
    with pytest.raises(SystemExit) as stop:
        run(monkeypatch, tmp_path, "crystal_generation.py", *arguments)
    assert stop.value.code == 2
    assert sentence in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_crystal_generation_with_given_crystals(tmp_path, monkeypatch, capsys):
    """One to resemble and one of which two sites stay; the sites of a CIF are counted from 0."""
    folder = tmp_path / "cifs"
    folder.mkdir()
    for row, a in enumerate(np.linspace(3.5, 4.5, 12)):
        (folder / f"{row}.cif").write_text(plain("Ba Ti O O O"[: 11 - 2 * (row % 2)], a=a, spread=0.19))
    mine = folder / "4.cif"
    small = ["networks.denoiser.config.width=8", "networks.denoiser.config.blocks=1", "model.config.steps=3"]
    quick = [*small, "fit.passes=1", "fit.batch_size=4", "data.test_fraction=0.2"]
    options = ["--data", folder, "--epochs", 1, "-n", 4, "--jobs", 1, *(f"--set={setting}" for setting in quick)]
    given = ["--near", mine, "--strength", 0.01, "--fixed", mine, "--hold", "lattice", "coords=0,3"]
    run(monkeypatch, tmp_path, "crystal_generation.py", *options, *given)
    with (tmp_path / "runs/crystals/generated/crystals.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    assert {row["sites"] for row in rows} == {"5"}
    np.testing.assert_allclose([float(row["volume"]) for row in rows], np.linspace(3.5, 4.5, 12)[4] ** 3, rtol=1e-3)
