import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen import presets, training
from kmatgen.cli import main
from kmatgen.crystals.asking import crystals_of, write_asked
from kmatgen.crystals.generation import generate_crystals
from kmatgen.errors import InputError
from kmatgen.run import Run
from tests.cli.commands import fails
from tests.tiny_runs import SMALL_DENOISER, perovskite_data, tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run that was trained for their density, hardly."""
    folder = tmp_path_factory.mktemp("asked")
    settings = {**perovskite_data(folder, 40), **SMALL_DENOISER, "compile.condition_dropout": 0.1}
    training.train(presets.resolve("crystal_diffusion", settings), folder / "run", verbose=0)
    return folder


def test_what_is_asked_for_is_what_python_makes(folder, tmp_path):
    write_asked(folder / "run", 3, 5, tmp_path / "made", {"density": 5.0})
    run = Run.open(folder / "run")
    expected = generate_crystals(run.load_model(), crystals_of(run), 3, 5, {"density": 5.0}, guidance=2.0)
    with np.load(tmp_path / "made" / "samples.npz") as samples:
        assert_array_equal(samples["lattice"], expected.samples["lattice"])
        assert_array_equal(samples["species"], expected.samples["species"])
        assert samples["seed"] == 5
    written = pd.read_csv(tmp_path / "made" / "crystals.csv")
    assert_array_equal(written["space_group"], expected.table.space_group)
    assert_allclose(written["symmetrised_by"], expected.moved.displacement, atol=1e-9)
    assert len(list((tmp_path / "made" / "cif").iterdir())) == len(expected.table)
    assert (tmp_path / "made" / "grid.png").stat().st_size > 1000


def test_by_command(folder, tmp_path, capsys):
    near = next((folder / "data" / "cif").iterdir())
    options = ["--near", str(near), "--strength", "0.001", "--ask", "density=5", "--out", str(tmp_path / "near")]
    main(["sample", str(folder / "run"), "-n", "2", *options])
    assert f"2 samples: {tmp_path / 'near'}" in capsys.readouterr().out
    held = ["--fixed", str(near), "--hold", "lattice", "--hold", "coords=0,1", "--ask", "density=5"]
    main(["sample", str(folder / "run"), "-n", "2", *held, "--out", str(tmp_path / "held")])
    cells = pd.read_csv(folder / "data" / "crystals.csv").set_index("cif")
    cell = cells.loc[near.read_text(encoding="utf-8"), ["a", "b", "c", "alpha", "beta", "gamma"]].to_numpy(float)
    for name, rtol in {"near": 0.05, "held": 1e-4}.items():
        with np.load(tmp_path / name / "samples.npz") as samples:
            assert_allclose(samples["lattice"], np.tile(cell, (2, 1)), rtol=rtol)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--ask", "density"], "--ask takes NAME=VALUE, such as band_gap=1.5. Received: density."),
        (["--ask", "gap=1"], "asked for density. Received: gap='1'."),
        (["--ask", "density=heavy"], "density is a number. Received: 'heavy'."),
        (["--ask", "density=5", "--condition", "3"], "said with --ask. Received: --condition 3, too."),
        (["--hold", "lattice"], "go together. Received: one without the other."),
        (["--near", "gone.cif"], "Received: gone.cif, which does not exist."),
        (["--near", "gone.cif", "--strength", "2"], "at most 1. Received: 2.0."),
        (["--ask", "density=5", "--symprec", "0"], "symprec is above 0. Received: symprec=0.0."),
    ],
)
def test_refuses(folder, tmp_path, capsys, options, sentence):
    assert sentence in fails(capsys, "sample", folder / "run", *options, "--out", tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_refuses_what_knows_no_crystals(folder, tmp_path):
    with pytest.raises(InputError, match="Received: .*export, no run"):
        write_asked(folder / "export", 2, 0, tmp_path / "made", {"density": 5.0})
    training.train(tiny(), tmp_path / "images", verbose=0)
    with pytest.raises(InputError, match="trained on polycrystal"):
        write_asked(tmp_path / "images", 2, 0, tmp_path / "made", {"density": 5.0})
    with pytest.raises(InputError, match="which holds files already"):
        write_asked(folder / "run", 2, 0, folder / "data", {"density": 5.0})
