import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from numpy.testing import assert_allclose
from PIL import Image

from kmatgen import cli, presets, study, training
from kmatgen.errors import InputError
from kmatgen.study.grid import grid, parse_factors
from kmatgen.study.report import Interval, interval, member_table, write_study_report
from kmatgen.study.storage import is_alive, machine
from kmatgen.study.store import Record, State, StudyStore

LATENT = {"latent_dim": presets.STUDIES["latent"][2]["latent_dim"]}
TWO = {"latent_dim": {label: LATENT["latent_dim"][label] for label in ("2", "4")}}
TINY = {
    "data.size": 16,
    "data.polycrystal.n": 20,
    "data.polycrystal.grain_size": [4, 8],
    "networks.encoder.config.filters": [4, 8],
    "networks.decoder.config.filters": [8, 4],
    "fit.batch_size": 8,
    "fit.epochs": 1,
}


@pytest.fixture
def store(tmp_path):
    with study.open_store(tmp_path) as opened:
        yield opened


def states(store):
    return {name: record.state.value for name, record in store.records().items()}


# --- the grid


def test_grid_has_every_combination_for_the_first_seed_first():
    factors = {**TWO, "kl": {"weak": {"compile.kl_weight": 0.1}, "strong": {"compile.kl_weight": 1}}}
    members = grid("vae", factors, {"fit.epochs": 2}, seeds=2)
    assert [member.name for member in members[:5]] == [
        "latent_dim=2,kl=weak,seed=0",
        "latent_dim=2,kl=strong,seed=0",
        "latent_dim=4,kl=weak,seed=0",
        "latent_dim=4,kl=strong,seed=0",
        "latent_dim=2,kl=weak,seed=1",
    ]
    assert len(members) == 8
    config = members[7].config
    assert (config["seed"], config["fit"]["epochs"], config["compile"]["kl_weight"]) == (1, 2, 1.0)
    assert [part["config"]["latent_dim"] for part in config["networks"].values()] == [4, 4]


@pytest.mark.parametrize(
    ("factors", "settings", "seeds", "message"),
    [
        ({}, {}, 1, "at least one factor"),
        (TWO, {}, 0, "at least 1 seed"),
        (TWO, {"seed": 3}, 1, "counts its seeds"),
        ({"start": {"a": {"seed": 3}}}, {}, 1, "counts its seeds"),
        (TWO, {"networks.encoder.config.latent_dim": 3}, 1, "is set by the settings of all members"),
        ({**TWO, "again": {"a": TWO["latent_dim"]["2"]}}, {}, 1, "is set by the factor latent_dim"),
        ({"no": {"a": {"compile.nonsense": 1}}}, {}, 1, "compile has the settings"),
        ({"data": {"a/b": {"data.source": "a/b"}, "a:b": {"data.source": "a:b"}}}, {}, 1, "must still differ"),
    ],
)
def test_grid_refuses(factors, settings, seeds, message):
    with pytest.raises(InputError, match=rf"{message}.*Received: "):
        grid("vae", factors, settings, seeds)


def test_parse_factors():
    assert parse_factors(["compile.kl_weight=0.001,1e-2", "compile.reconstruction=mse,bce"]) == {
        "kl_weight": {"0.001": {"compile.kl_weight": 0.001}, "0.01": {"compile.kl_weight": 0.01}},
        "reconstruction": {"mse": {"compile.reconstruction": "mse"}, "bce": {"compile.reconstruction": "bce"}},
    }
    assert parse_factors(["a.n+b.n=2,3", "c.n=[1,2],[3]"]) == {
        "n": {"2": {"a.n": 2, "b.n": 2}, "3": {"a.n": 3, "b.n": 3}},
        "c.n": {"1-2": {"c.n": [1, 2]}, "3": {"c.n": [3]}},
    }
    for text in ("compile.kl_weight", "compile.kl_weight=", "=1,2", "compile.kl_weight=1,1"):
        with pytest.raises(InputError, match="Received: "):
            parse_factors([text])


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("latent", [98_087, 103_723, 114_995, 137_539, 182_627]), ("layers", [244_931, 132_675, 137_539])],
)
def test_named_studies_have_the_published_parameters(name, parameters):
    _, preset, factors = presets.STUDIES[name]
    models = [training.build_model(member.config, (64, 64, 3)) for member in grid(preset, factors, seeds=1)]
    assert [model.count_params() for model in models] == parameters


# --- the store


def test_enqueue_adds_only_what_is_new(store):
    store.enqueue(grid("vae", TWO, seeds=1))
    store.enqueue(grid("vae", TWO, seeds=1))
    assert len(store.study.trials) == 2
    store.enqueue(grid("vae", LATENT, seeds=2))
    assert len(store.study.trials) == 10
    assert set(states(store).values()) == {"waiting"}


def test_every_member_is_claimed_once(store):
    store.enqueue(grid("vae", TWO, seeds=10))
    claimed, start = [], threading.Barrier(6)

    def claim_all():
        with StudyStore(store.url, store.name) as own:
            start.wait()
            for number in range(20):
                if own.claim(number):
                    claimed.append(number)

    threads = [threading.Thread(target=claim_all) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == list(range(20))


def test_of_two_trials_of_one_member_the_first_counts(store):
    (member,) = grid("vae", {"latent_dim": {"2": TWO["latent_dim"]["2"]}}, seeds=1)
    notes = {"member": member.name, "labels": member.labels, "seed": 0, "config": member.config}
    for _ in range(2):
        store.study.enqueue_trial({"latent_dim": "2", "seed": "0"}, user_attrs=notes)
    assert not store.claim(1)
    assert store.claim(0)
    store.finish(0, 0.5, seconds=1.0)
    record = store.records()[member.name]
    assert (record.state, record.number, record.notes["seconds"]) == (State.FINISHED, 0, 1.0)


def test_failed_members_wait_again_only_where_wanted(store):
    members = grid("vae", TWO, seeds=1)
    store.enqueue(members)
    store.claim(0)
    store.fail(0, "Traceback ...\nValueError: no")
    store.fail(0, "too late")
    store.enqueue(members)
    assert states(store) == {"latent_dim=2,seed=0": "failed", "latent_dim=4,seed=0": "waiting"}
    assert store.records()["latent_dim=2,seed=0"].notes["error"] == "Traceback ...\nValueError: no"
    store.enqueue(members, retry_failed=True)
    assert states(store) == {"latent_dim=2,seed=0": "waiting", "latent_dim=4,seed=0": "waiting"}
    assert len(store.study.trials) == 3


def test_sweep_lets_go_of_dead_processes_of_this_machine_at_once(store):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    while not os.path.exists(f"/proc/{gone.pid}/stat") or is_alive(gone.pid):
        time.sleep(0.02)
    members = grid("vae", TWO, seeds=2)
    store.enqueue(members)
    for number in range(4):
        store.claim(number)
    store.note(1, pid=gone.pid)
    store.note(2, pid=gone.pid, machine="elsewhere")
    store.note(3, pid=gone.pid)
    store.sweep(own=[3])
    # It is a zombie so far, then it is gone altogether.
    assert list(states(store).values()) == ["running", "lost", "running", "running"]
    gone.wait()
    store.sweep()
    assert list(states(store).values()) == ["running", "lost", "running", "lost"]
    store.enqueue(members)
    assert list(states(store).values()) == ["running", "waiting", "running", "waiting"]


def test_sweep_lets_go_of_silent_processes_elsewhere(tmp_path):
    with StudyStore(f"sqlite:///{tmp_path}/study.db", "study", grace=1) as store:
        store.enqueue(grid("vae", TWO, seeds=1))
        for number in range(2):
            store.claim(number)
            store.note(number, machine="elsewhere")
        store.sweep()
        assert list(states(store).values()) == ["running", "running"]
        # The database counts whole seconds.
        time.sleep(2.5)
        assert store.beat(1)
        store.sweep()
        assert list(states(store).values()) == ["lost", "running"]
        assert not store.beat(0)


def test_a_study_keeps_what_it_began_with(store):
    base = presets.resolve("vae", {"fit.epochs": 2})
    store.agree(base, TWO)
    store.agree(base, LATENT)
    assert list(store.study.user_attrs["factors"]["latent_dim"]) == ["2", "4", "8", "16", "32"]
    with pytest.raises(InputError, match=r"has fit\.epochs=2 for all members.*Received: fit\.epochs=3\.$"):
        store.agree(presets.resolve("vae", {"fit.epochs": 3}), TWO)
    with pytest.raises(InputError, match=r"is about latent_dim;.*Received: layers\.$"):
        store.agree(base, presets.STUDIES["layers"][2])
    with pytest.raises(InputError, match=r"latent_dim=2 means .*Received: "):
        store.agree(base, {"latent_dim": {"2": LATENT["latent_dim"]["8"]}})


@pytest.mark.parametrize(
    "url", ["nonsense", "postgresql+nodriver://me:secret@nowhere/x", "sqlite:////no/such/folder/x.db"]
)
def test_a_storage_that_cannot_be_reached_is_refused_without_its_password(url):
    with pytest.raises(InputError, match="Received: ") as caught:
        StudyStore(url, "study")
    assert "secret" not in str(caught.value)


# --- the report


def test_interval_against_hand_worked_values():
    # t(0.975, 2 degrees of freedom) = 4.302653; standard deviation 1, n = 3: 4.302653 / sqrt(3).
    assert_allclose(interval([1.0, 2.0, 3.0])[:2], [2.0, 2.484138], rtol=1e-6)
    # t(0.975, 1) = 12.706205; standard deviation sqrt(2) / 2 * 0.2, n = 2: 12.706205 * 0.1.
    assert_allclose(interval([0.1, 0.3])[:2], [0.2, 1.2706205], rtol=1e-6)
    assert interval([0.25]) == Interval(0.25, None, 1)
    assert str(interval([0.25])) == "0.25 (n=1)"
    assert str(Interval(0.43124, 0.00213, 3)) == "0.4312 ± 0.0021"
    assert str(Interval(123.4, 25.0, 3)) == "123 ± 25"
    assert str(Interval(0.5, 0.0, 2)) == "0.5 ± 0"


def finished(label, seed, loss):
    notes = {
        "losses": {"loss": loss, "val_loss": loss + 0.1, "val_kl_weight": 0.012},
        "floors": {"val_reconstruction_loss": 0.05},
        "parameters": 1234,
        "epochs": 2,
        "seconds": 10.0 + seed,
        "resumed": seed == 1,
        "run": "somewhere",
    }
    return Record(f"latent_dim={label},seed={seed}", State.FINISHED, seed, {"latent_dim": label}, seed, notes)


def test_report_of_finished_and_failed_members(tmp_path, rng):
    failed = Record(
        "latent_dim=4,seed=0", State.FAILED, 3, {"latent_dim": "4"}, 0, {"error": "Traceback\nOops: <no>\n"}
    )
    records = [finished("2", 0, 1.0), finished("2", 1, 2.0), finished("2", 2, 3.0), failed]
    for record in records[:3]:
        folder = tmp_path / "members" / record.name
        folder.mkdir(parents=True)
        pd.DataFrame({"loss": [4.0, 1.0], "val_loss": [5.0, 2.0]}).to_csv(folder / "history.csv", index=False)
        # Noise cannot be compressed: 4 MB each, far more than a page may have.
        for name in ("samples.png", "reconstructions.png"):
            Image.fromarray(rng.integers(0, 256, (1200, 1200, 3), np.uint8)).save(folder / name)
    page = write_study_report(tmp_path, records, presets.resolve("vae"))
    html = page.read_text(encoding="utf-8")
    assert page.stat().st_size < 15e6
    assert html.count("data:image/jpeg") == 6
    # Seed 1 was resumed and does not know its whole time: the mean of 10 and 12 seconds.
    for expected in (
        "2.0 ± 2.5",
        "2.1 ± 2.5",
        "3 of 3",
        "0 of 1",
        "1,234",
        "11.0",
        "Oops: &lt;no&gt;",
        "3 finished, 1 failed",
    ):
        assert expected in html
    assert "val_kl_weight</th>" not in html
    table = pd.read_csv(tmp_path / "study.csv")
    assert table["member"].tolist() == [record.name for record in records]
    assert table["error"].tolist()[3] == "Oops: <no>"
    assert table["loss"].tolist()[:3] == [1.0, 2.0, 3.0]


def test_a_factor_with_the_name_of_a_loss_keeps_its_column():
    record = finished("2", 0, 1.0)._replace(labels={"loss": "hinge"})
    table = member_table([record])
    assert (table["loss"][0], table["final_loss"][0], table["val_loss"][0]) == ("hinge", 1.0, 1.1)


def test_report_where_nothing_finished(tmp_path):
    record = Record("latent_dim=4,seed=0", State.FAILED, 0, {"latent_dim": "4"}, 0, {"error": "Oops"})
    assert "0 of 1" in write_study_report(tmp_path, [record], presets.resolve("vae")).read_text(encoding="utf-8")
    assert member_table([record])["state"].tolist() == ["failed"]


# --- the crew, with workers that do not train

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


# --- the command


def test_command_refuses_a_preset_without_a_factor():
    with pytest.raises(InputError, match=r"what to vary with --factor\. Received: 'vae'\.$"):
        CliRunner().invoke(cli.commands, ["study", "vae"], catch_exceptions=False)


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


# --- the whole, with training


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


def test_machine_and_life():
    assert machine() == machine()
    assert is_alive(os.getpid())
