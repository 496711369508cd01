import pandas as pd

from kmatgen import study
from tests.study.grids import LATENT

WORKER = """
import argparse, os, signal, time
from kmatgen.study.store import StudyStore
from kmatgen.study.worker import STORAGE_VARIABLE
parser = argparse.ArgumentParser()
for name in ("--study", "--number", "--folder"):
    parser.add_argument(name)
options = parser.parse_args()
number = int(options.number)
with StudyStore(os.environ[STORAGE_VARIABLE], options.study) as store:
    store.claim(number)
    config = store.study.trials[number].user_attrs["config"]
    latent_dim = config["networks"]["encoder"]["config"]["latent_dim"]
    print("claimed", number, os.environ.get("TF_NUM_INTRAOP_THREADS"), flush=True)
    if latent_dim == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    if latent_dim == 8:
        store.fail(number, "Traceback\\nOops: no")
        raise SystemExit(1)
    losses = {"loss": 1.0, "val_loss": 0.5 + config["seed"]}
    store.finish(number, 0.5, losses=losses, floors={}, parameters=1, seconds=1.0, epochs=1, resumed=False, run="")
"""


def test_the_crew_records_every_end_and_the_others_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(study.crew, "WORKER", ("-c", WORKER))
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    factors = {"latent_dim": {label: LATENT["latent_dim"][label] for label in ("2", "4", "8")}}
    report = study.run_study("vae", factors, tmp_path, seeds=1, jobs=3, verbose=False)
    errors = study.failures(tmp_path)
    assert list(errors) == ["latent_dim=4,seed=0", "latent_dim=8,seed=0"]
    assert "without a word, exit code -9 (SIGKILL" in errors["latent_dim=4,seed=0"]
    assert "claimed 1 1" in errors["latent_dim=4,seed=0"]
    assert errors["latent_dim=8,seed=0"] == "Traceback\nOops: no"
    assert "1 finished, 2 failed" in report.read_text(encoding="utf-8")
    # Again: one more seed of what can finish, and the failed ones stay.
    two = {"latent_dim": {"2": LATENT["latent_dim"]["2"]}}
    study.run_study("vae", two, tmp_path, seeds=2, verbose=False)
    table = pd.read_csv(tmp_path / "study.csv")
    assert table["state"].tolist() == ["finished", "failed", "failed", "finished"]
    assert table["val_loss"].tolist()[::3] == [0.5, 1.5]


def test_a_process_that_cannot_start_is_a_failure(tmp_path, monkeypatch):
    monkeypatch.setattr(study.crew, "WORKER", ("-c", "raise SystemExit('no such thing')"))
    study.run_study("vae", {"latent_dim": {"2": LATENT["latent_dim"]["2"]}}, tmp_path, seeds=1, verbose=False)
    error = study.failures(tmp_path)["latent_dim=2,seed=0"]
    assert "exit code 1" in error
    assert "no such thing" in error
