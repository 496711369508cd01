import json
import os
import signal
import socket
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg
from kmatgen import distribute, training
from kmatgen.callbacks import checkpoints
from kmatgen.run import Run
from tests.checks import state_of
from tests.tiny_models import MODELS, compiled, two_replicas
from tests.tiny_runs import tiny
from tests.worker_program import SAMPLES, fitted

SLURM = {
    "SLURM_STEP_NUM_TASKS": "5",
    "SLURM_STEP_NODELIST": "gpu[9-10],login",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2),1",
    "SLURM_PROCID": "3",
    "SLURM_JOB_ID": "1251",
}
TWO = {"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch):
    for name in [name for name in os.environ if name == "TF_CONFIG" or name.startswith("SLURM_")]:
        monkeypatch.delenv(name)


# Who takes part


def test_cluster_from_slurm():
    cluster = distribute.cluster_from_slurm(SLURM)
    # The second range of 16 ports from 10000 on; nodes in Slurm's order, not in that of text.
    workers = ["gpu9:10016", "gpu9:10017", "gpu10:10016", "gpu10:10017", "login:10016"]
    assert cluster == {"cluster": {"worker": workers}, "task": {"type": "worker", "index": 3}}
    assert distribute.check_tf_config(json.dumps(cluster)) == cluster


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("n1", ["n1"]),
        ("n[08-10],m", ["n08", "n09", "n10", "m"]),
        ("a[1,3]-ib,b[1-2][5-6]", ["a1-ib", "a3-ib", "b15", "b16", "b25", "b26"]),
    ],
)
def test_expand_hosts(text, hosts):
    assert distribute.expand_hosts(text) == hosts


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"SLURM_PROCID": ""}, "has SLURM_PROCID; start it with srun"),
        ({"SLURM_PROCID": "x"}, "SLURM_PROCID is a whole number. Received: 'x'"),
        ({"SLURM_PROCID": "5"}, r"ranks below their sum\. Received: 2\(x2\),1, rank 5"),
        ({"SLURM_STEP_TASKS_PER_NODE": "2(x2)"}, "a count for each of 3 nodes"),
        ({"SLURM_STEP_TASKS_PER_NODE": "2(y2)"}, r"written like 2\(x3\),1\. Received: '2\(y2\)'"),
        ({"SLURM_STEP_NODELIST": "n[1-]"}, r"written like n\[1-2,4\]\. Received: 'n\[1-\]'"),
        ({"SLURM_NODEID": "0"}, r"--distribution=block\. Received: rank 3 on node 0, not 1"),
    ],
)
def test_a_malformed_slurm_step(change, message):
    with pytest.raises(kg.InputError, match=message):
        distribute.cluster_from_slurm({**SLURM, **change})


@pytest.mark.parametrize(
    ("change", "gpus", "own"),
    [
        ({}, 4, slice(2, 4)),
        ({"SLURM_LOCALID": "0"}, 3, slice(0, 1)),
        ({"SLURM_GPUS_PER_TASK": "1"}, 4, slice(None)),
        ({"TF_CONFIG": "{}"}, 4, slice(None)),
        ({}, 1, slice(None)),
        ({}, 0, slice(None)),
    ],
)
def test_tasks_of_a_machine_share_its_gpus(change, gpus, own):
    environ = {**SLURM, "SLURM_NODEID": "1", "SLURM_LOCALID": "1", **change}
    assert distribute.own_share(gpus, environ) == own


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"TF_CONFIG is JSON, but: .* Received: '\{'"),
        ("[]", r"'cluster' is not there\. Received: \[\]"),
        ('{"cluster": {"worker": ["a:1"]}}', "'task' is not there"),
        ({"cluster": {}}, r"Received: \[\]"),
        ({"cluster": {"ps": ["a:1"], "worker": ["b:1"]}}, r"Received: \['ps', 'worker'\]"),
        ({"cluster": {"worker": "a:1"}}, "lists the addresses of each worker. Received: 'a:1'"),
        ({"cluster": {"worker": ["a"]}}, "written 'host:port'. Received: 'a'"),
        ({"cluster": {"worker": ["a:1", "a:1"]}}, "an address of its own. Received: a:1, a:1"),
        ({"task": {"type": "chief", "index": 0}}, r"task type in TF_CONFIG is one of \['worker'\]. Received: 'chief'"),
        ({"task": {"type": "worker", "index": 2}}, "task index in TF_CONFIG is from 0 to 1. Received: 2"),
        ({"task": {"type": "worker", "index": "1"}}, "Received: '1'"),
    ],
)
def test_a_malformed_tf_config(content, message):
    text = content if isinstance(content, str) else json.dumps({**TWO, **content})
    with pytest.raises(kg.InputError, match=message):
        distribute.check_tf_config(text)


def test_tf_config_goes_before_slurm():
    assert distribute.find_cluster({}) is None
    # The batch script of a job of several tasks is one process.
    assert distribute.find_cluster({"SLURM_NTASKS": "5", "SLURM_PROCID": "0"}) is None
    assert distribute.find_cluster({**SLURM, "SLURM_STEP_NUM_TASKS": "1"}) is None
    assert len(distribute.find_cluster(SLURM)["cluster"]["worker"]) == 5
    assert distribute.find_cluster({**SLURM, "TF_CONFIG": json.dumps(TWO)}) == TWO


def test_names(monkeypatch):
    asked = []
    monkeypatch.setattr(distribute, "_multi_worker", asked.append)
    default = tf.distribute.get_strategy()
    assert distribute.strategy() is default
    assert distribute.strategy("none") is default
    assert distribute.is_chief(default)
    mirrored = distribute.strategy("mirrored")
    assert isinstance(mirrored, tf.distribute.MirroredStrategy)
    assert mirrored.num_replicas_in_sync == 2
    assert distribute.is_chief(mirrored)
    assert distribute.gather(mirrored, 3) == [3, 3]
    with pytest.raises(kg.InputError, match="one of auto, mirrored, multi_worker, none. Received: 'tpu'"):
        distribute.strategy("tpu")
    with pytest.raises(kg.InputError, match="needs TF_CONFIG, or a Slurm step.*Received: neither"):
        distribute.strategy("multi_worker")
    monkeypatch.setenv("TF_CONFIG", json.dumps(TWO))
    distribute.strategy()
    distribute.strategy("multi_worker")
    assert distribute.strategy("none") is default
    assert isinstance(distribute.strategy("mirrored"), tf.distribute.MirroredStrategy)
    assert asked == [TWO, TWO]


def test_several_gpus_are_mirrored(monkeypatch):
    monkeypatch.setattr(distribute, "_mirrored", lambda: "mirrored")
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["GPU:0", "GPU:1"])
    assert distribute.strategy() == "mirrored"


@pytest.mark.parametrize(
    ("job", "index", "chief"), [("worker", 0, True), ("worker", 1, False), ("chief", 0, True), ("both", 0, False)]
)
def test_who_is_chief(job, index, chief):
    cluster = {"worker": ["a:1", "b:1"]} if job == "worker" else {"chief": ["a:1"], "worker": ["b:1"]}
    kind = "worker" if job == "both" else job
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(cluster), task_type=kind, task_id=index
    )

    class Strategy:
        cluster_resolver = resolver

    assert distribute.is_chief(Strategy()) is chief


# Several devices of one machine


def test_a_batch_that_cannot_be_divided(tmp_path):
    strategy = two_replicas()
    distribute.check_batch_size(strategy, 12, d_steps=3)
    with pytest.raises(kg.InputError, match=r"a multiple of 6 samples.*Received: 9"):
        distribute.check_batch_size(strategy, 9, d_steps=3)
    with pytest.raises(kg.InputError, match=r"among 2 replicas; change fit.batch_size. Received: 7"):
        training.train(tiny(strategy="mirrored", **{"fit.batch_size": 7}), tmp_path / "run", verbose=0)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_training_on_two_devices_is_training(tmp_path):
    run = training.train(tiny(strategy="mirrored"), tmp_path / "run", verbose=0)
    assert run.finished_epochs == 2
    alone = training.train(tiny(), tmp_path / "alone", verbose=0)
    # Noise differs, the data do not: after two epochs both are about as good.
    ours, theirs = run.history(), alone.history()
    assert_allclose(ours["val_reconstruction_loss"], theirs["val_reconstruction_loss"], rtol=0.05)
    resumed = training.resume(run.folder, {"fit.epochs": 3, "strategy": "none"}, verbose=0)
    assert resumed.finished_epochs == 3
    assert resumed.config["strategy"] == "none"


def test_quiet_training_on_two_devices_equals_one():
    for name in ("vae", "gan"):
        keras.utils.set_random_seed(0)
        alone, logs_alone = fitted(name, tf.distribute.get_strategy())
        together, logs_together = fitted(name, two_replicas())
        assert_equal_training((alone.get_weights(), logs_alone), (together.get_weights(), logs_together))


@pytest.mark.parametrize("name", [pytest.param("acgan", marks=pytest.mark.slow), "sngan"])
def test_devices_keep_the_same_statistics(name):
    """Batch statistics and power iterations; a partial batch leaves one device without a sample."""
    case, strategy = MODELS[name], two_replicas()
    with strategy.scope():
        model = compiled(case)
    history = model.fit(case.batched(16), epochs=1, validation_data=case.batched(9), verbose=0).history
    assert all(np.isfinite(values).all() for values in history.values())
    for variable in (*model.generator.variables, *model.discriminator.variables):
        first, second = strategy.experimental_local_results(variable.value)
        assert_array_equal(first, second, err_msg=variable.path)


# Two processes


def start(index, ports, *command, log):
    """Start a worker; what it prints goes to a file, lest a full pipe stop it."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    environ = {
        **os.environ,
        "TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}}),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    with open(log, "w") as out:
        return subprocess.Popen([sys.executable, *map(str, command)], env=environ, stdout=out, stderr=out)


def start_two(folder, *command):
    ports = free_ports(2)
    return [start(index, ports, *command, log=folder / f"log_{index}.txt") for index in (0, 1)]


def free_ports(n):
    sockets = [socket.socket() for _ in range(n)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def wait_for(workers, folder, seconds=400):
    """Both workers end well within this time, or none stays behind."""
    try:
        codes = [worker.wait(timeout=seconds) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    logs = "\n".join((folder / f"log_{index}.txt").read_text()[-2000:] for index in (0, 1))
    assert codes == [0, 0], logs


def assert_equal_training(one, other):
    for left, right in zip(one[0], other[0], strict=True):
        assert_allclose(left, right, rtol=1e-4, atol=1e-6)
    assert set(one[1]) == set(other[1])
    for name in one[1]:
        assert_allclose(one[1][name], other[1][name], rtol=1e-4, err_msg=name)


def weights_of(path):
    with np.load(path) as arrays:
        return [arrays[name] for name in arrays.files]


@pytest.mark.slow
def test_two_workers_train_as_one(tmp_path):
    wait_for(start_two(tmp_path, "-m", "tests.worker_program", tmp_path), tmp_path)
    folders = [tmp_path / "worker_0", tmp_path / "worker_1"]
    answers = [json.loads((folder / "answer.json").read_text()) for folder in folders]
    assert [answer["strategy"] for answer in answers] == ["CollectiveAllReduceStrategy"] * 2
    assert [answer["chief"] for answer in answers] == [True, False]
    assert [answer["gathered"] for answer in answers] == [[7, 8], [7, 8]]

    # Each worker gets its half of each batch, in the order of one process, and no sample twice.
    shuffled, in_order = kg.data.batches(SAMPLES, 8, seed=3), kg.data.batches(SAMPLES, 8, seed=None)
    expected = [[batch.numpy().tolist() for batch in dataset] for dataset in (shuffled, shuffled, in_order, in_order)]
    for number, batches in enumerate(expected):
        first, second = (answer["seen"][number] for answer in answers)
        full = slice(0, 3)
        assert [left + right for left, right in zip(first[full], second[full], strict=True)] == batches
        assert {len(part) for part in first[full] + second[full]} == {4}
    for number in (2, 3):
        rows = [row for answer in answers for batch in answer["seen"][number] for row in batch]
        assert sorted(rows) == SAMPLES.tolist()

    for name in ("vae", "gan", "noisy_gan"):
        first, second = (weights_of(folder / f"{name}.npz") for folder in folders)
        for left, right in zip(first, second, strict=True):
            assert_array_equal(left, right)
        assert answers[0][name] == answers[1][name]
        assert all(np.isfinite(values).all() for values in answers[0][name].values())
    for name in ("vae", "gan"):
        model, history = fitted(name, tf.distribute.get_strategy())
        ours = weights_of(folders[0] / f"{name}.npz"), answers[0][name]
        assert_equal_training((model.get_weights(), history), ours)


COMMAND_LINE = ("-c", "from kmatgen.cli import main; main()", "train")


def train_command(folder):
    settings = {"data.polycrystal.n": "72", "data.polycrystal.grain_size": "[5, 8]", "fit.sample_every": "1"}
    settings |= {"networks.encoder.config.filters": "[4, 8]", "networks.decoder.config.filters": "[8, 4]"}
    chosen = [part for path, value in settings.items() for part in ("--set", f"{path}={value}")]
    options = ("--size", "16", "--batch-size", "8", "--epochs", "5", "--strategy", "multi_worker", "--out", folder)
    return (*COMMAND_LINE, "vae", *options, *chosen)


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    wait_for(start_two(tmp_path, *train_command(whole)), tmp_path)
    workers = start_two(tmp_path, *train_command(broken))
    try:
        # Not for a file of its own: the next epoch's takes its place.
        wait_until(lambda: any(number >= 2 for number, _ in checkpoints(broken / "checkpoints")), workers)
        workers[1].send_signal(signal.SIGKILL)
        # The other one notices, instead of waiting for ever.
        assert workers[0].wait(timeout=120) == 2
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    assert "went away" in (tmp_path / "log_0.txt").read_text()
    assert 2 <= Run.open(broken).finished_epochs < 5

    wait_for(start_two(tmp_path, *COMMAND_LINE, "--resume", broken), tmp_path)
    assert_one_writer(tmp_path)
    one, other = Run.open(whole), Run.open(broken)
    assert other.finished_epochs == 5
    assert_allclose(one.history().to_numpy(), other.history().to_numpy(), rtol=1e-6)
    for left, right in zip(state_of(one.load_model()), state_of(other.load_model()), strict=True):
        assert_allclose(left, right, rtol=1e-6)
    assert {path.name for path in whole.iterdir()} == {path.name for path in other.folder.iterdir()}


def assert_one_writer(folder):
    """The chief says where the report is; the other worker says nothing."""
    assert "report.html" in (folder / "log_0.txt").read_text()
    assert "report.html" not in (folder / "log_1.txt").read_text()


def wait_until(condition, workers, seconds=300):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        assert all(worker.poll() is None for worker in workers)
        time.sleep(0.005)
