import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
from numpy.testing import assert_allclose

from kmatgen import study
from kmatgen.study.storage import is_alive
from tests.study.grids import TINY, TWO


def run(folder, factors, **options):
    return study.run_study("vae", factors, folder, settings=TINY, verbose=False, **options)


def modified(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.glob("members/*/metrics.json")}


@pytest.mark.slow
def test_study_finishes_and_repeats_nothing(tmp_path):
    # No polycrystals of this colouring: these members fail.
    factors = {**TWO, "colouring": {"ipf": {"data.polycrystal.colouring": "ipf"}}}
    run(tmp_path, factors, seeds=2, jobs=2)
    table = pd.read_csv(tmp_path / "study.csv")
    assert table["state"].tolist() == ["finished"] * 4
    assert table["epochs"].tolist() == [1] * 4
    metrics = json.loads((tmp_path / "members" / "latent_dim=2,colouring=ipf,seed=0" / "metrics.json").read_text())
    assert_allclose(table["val_loss"][0], metrics["last"]["val_loss"], rtol=1e-12)
    before = modified(tmp_path)
    factors["colouring"]["none"] = {"data.polycrystal.colouring": "none"}
    page = run(tmp_path, factors, seeds=2, jobs=2).read_text(encoding="utf-8")
    assert modified(tmp_path) == before
    assert len(study.failures(tmp_path)) == 4
    assert all("InputError" in error for error in study.failures(tmp_path).values())
    assert "4 finished, 4 failed" in page


START = """
import json, sys
from kmatgen import study
factors, settings = json.loads(sys.argv[2])
study.run_study("vae", factors, sys.argv[1], settings=settings, seeds=1, jobs=1, verbose=False)
"""


@pytest.mark.slow
@pytest.mark.parametrize("killed", ["both", "orchestrator", "interrupted"])
def test_a_killed_study_goes_on(tmp_path, killed):
    settings = {**TINY, "fit.epochs": 40}
    arguments = [sys.executable, "-c", START, str(tmp_path), json.dumps([TWO, settings])]
    first, second = (tmp_path / "members" / f"latent_dim={label},seed=0" for label in "24")
    orchestrator = subprocess.Popen(arguments)
    deadline = time.monotonic() + 120
    while not (second / "checkpoints" / "epoch_0003.keras").is_file():
        assert time.monotonic() < deadline
        assert orchestrator.poll() is None
        time.sleep(0.05)
    with study.open_store(tmp_path) as store:
        worker = store.records()["latent_dim=4,seed=0"].notes["pid"]
    orchestrator.send_signal(signal.SIGTERM if killed == "interrupted" else signal.SIGKILL)
    orchestrator.wait()
    if killed == "both":
        os.kill(worker, signal.SIGKILL)
    elif killed == "interrupted":
        assert not is_alive(worker)
    before = (first / "metrics.json").stat().st_mtime_ns
    epochs_before = (second / "history.csv").read_text().count("\n") - 1
    assert subprocess.run(arguments).returncode == 0
    assert (first / "metrics.json").stat().st_mtime_ns == before
    table = pd.read_csv(tmp_path / "study.csv")
    assert table["state"].tolist() == ["finished", "finished"]
    assert table["epochs"].tolist() == [40, 40]
    assert epochs_before < 40
    # A worker that survived is waited for; one that did not is taken up where it was.
    assert table["resumed"].tolist() == [False, killed != "orchestrator"]
    assert pd.read_csv(second / "history.csv")["epoch"].tolist() == list(range(40))
    log = (tmp_path / "members" / "latent_dim=4,seed=0.log.txt").read_text()
    assert log.count("Epoch 1/40") == 1
