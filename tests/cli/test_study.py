import pytest
from click.testing import CliRunner

from kmatgen import cli, study
from kmatgen.errors import InputError


def test_command_refuses_a_preset_without_a_factor():
    with pytest.raises(InputError, match=r"what to vary with --factor\. Received: 'vae'\.$"):
        CliRunner().invoke(cli.commands, ["study", "vae"], catch_exceptions=False)


@pytest.mark.parametrize("options", [["--data", "gone"], ["--factor", "data.source=polycrystal,gone"]])
def test_data_that_do_not_exist_are_refused_before_any_training(options, tmp_path):
    with pytest.raises(InputError, match=r"Received: gone, which does not exist\.$"):
        CliRunner().invoke(
            cli.commands, ["study", "latent", *options, "--out", str(tmp_path / "new")], catch_exceptions=False
        )
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("file", "received"), [(None, "an empty folder"), ("notes.txt", "only .txt")])
def test_folders_without_data_are_refused_before_any_training(file, received, tmp_path):
    (tmp_path / "data").mkdir()
    if file:
        (tmp_path / "data" / file).write_text("no image")
    options = ["study", "latent", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "new")]
    with pytest.raises(InputError, match=rf"must hold image files .* Received: {received}\.$"):
        CliRunner().invoke(cli.commands, options, catch_exceptions=False)
    assert not (tmp_path / "new").exists()


def test_command_passes_everything_on_and_counts_failures(tmp_path, monkeypatch):
    given = {}

    def run_study(*arguments, **options):
        given.update(options, arguments=arguments)
        return tmp_path / "report.html"

    monkeypatch.setattr(study, "run_study", run_study)
    monkeypatch.setattr(study, "failures", lambda folder, storage: {"a=1,seed=0": "Traceback\nOops: no\n"})
    options = "--data x --epochs 2 --seeds 4 --jobs 2 --factor compile.kl_weight=1,2 --set precision=float32"
    result = CliRunner().invoke(cli.commands, ["study", "layers", *options.split()])
    assert result.exit_code == 1
    assert "Failed members: 1; their" in result.output
    assert "a=1,seed=0: Oops: no" in result.output
    preset, factors, folder = given.pop("arguments")
    assert (preset, list(factors), str(folder)) == ("vae", ["layers", "kl_weight"], "runs/layers_kl_weight")
    assert given == {
        "settings": {"data.source": "x", "fit.epochs": 2, "precision": "float32"},
        "storage": None,
        "seeds": 4,
        "jobs": 2,
        "retry_failed": False,
    }
