"""Several devices and several machines: which `tf.distribute` strategy to train under, and who writes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from kmatgen.errors import InputError

STRATEGIES = ("auto", "mirrored", "multi_worker", "none")

Cluster = dict[str, Any]

# Slurm numbers jobs upwards; jobs that share a machine get ranges of ports of their own.
_FIRST_PORT, _PORTS_OF_A_JOB, _PORT_RANGES = 10_000, 16, 1_250


def strategy(name: str = "auto") -> tf.distribute.Strategy:
    """The strategy to build and compile a model under: `with kg.distribute.strategy().scope(): ...`.

    Several workers have to be asked for before TensorFlow runs its first operation, and the call waits until all of
    them are there.

    Args:
        name: `"auto"`: the workers of TF_CONFIG or of a Slurm step of several tasks where there are any, else all
            GPUs of this machine, else one device. `"mirrored"`: all devices of this machine. `"multi_worker"`:
            several processes, one on each machine or GPU. `"none"`: one device.

    Raises:
        InputError: There is no such strategy, or what describes the workers is missing or malformed.
    """
    if name not in STRATEGIES:
        raise InputError(f"A strategy is one of {', '.join(STRATEGIES)}. Received: {name!r}.")
    if name == "none":
        return tf.distribute.get_strategy()
    cluster = None if name == "mirrored" else find_cluster(os.environ)
    if cluster is not None:
        return _multi_worker(cluster)
    if name == "multi_worker":
        raise InputError(
            "multi_worker needs TF_CONFIG, or a Slurm step of several tasks (start it with srun). Received: neither."
        )
    if name == "mirrored" or len(tf.config.get_visible_devices("GPU")) > 1:
        return _mirrored()
    return tf.distribute.get_strategy()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes files: true but for the further workers of a cluster."""
    resolver = strategy.cluster_resolver
    if resolver is None or resolver.task_type in (None, "chief"):
        return True
    return "chief" not in resolver.cluster_spec().jobs and resolver.task_id == 0


def gather(strategy: tf.distribute.Strategy, number: int) -> list[int]:
    """One number from every replica of every worker; each waits for the others here."""
    per_replica = strategy.run(lambda: tf.constant([number], tf.int64))
    return strategy.gather(per_replica, axis=0).numpy().tolist()


def check_batch_size(strategy: tf.distribute.Strategy, size: int, d_steps: int = 1) -> None:
    """Make sure that a global batch can be divided among replicas, and each part among discriminator steps.

    Raises:
        InputError: It cannot.
    """
    replicas = strategy.num_replicas_in_sync
    if size % (replicas * d_steps):
        raise InputError(
            f"A batch is divided among {replicas} replicas of {d_steps} discriminator steps each and must hold a "
            f"multiple of {replicas * d_steps} samples; change fit.batch_size. Received: {size}."
            if d_steps > 1
            else f"A batch is divided among {replicas} replicas; change fit.batch_size. Received: {size}."
        )


# Who takes part


def find_cluster(environ: Mapping[str, str]) -> Cluster | None:
    """The cluster that the environment describes, as the content of TF_CONFIG, or None.

    TF_CONFIG goes before Slurm.

    Raises:
        InputError: The description is malformed.
    """
    if environ.get("TF_CONFIG", "").strip():
        return check_tf_config(environ["TF_CONFIG"])
    # Only srun sets this one: the batch script itself is one process, however many tasks the job has.
    if environ.get("SLURM_STEP_NUM_TASKS", "1") != "1":
        return cluster_from_slurm(environ)
    return None


def check_tf_config(text: str) -> Cluster:
    """Read a TF_CONFIG, `{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}`.

    Raises:
        InputError: It is malformed; the sentence says where.
    """
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"TF_CONFIG is JSON, but: {error}. Received: {text!r}.") from error
    jobs = _part(content, "cluster", text)
    task = _part(content, "task", text)
    unknown = sorted(set(jobs) - {"chief", "worker"})
    if unknown or not jobs:
        raise InputError(f"The cluster of TF_CONFIG has 'worker' and maybe 'chief'. Received: {sorted(jobs)}.")
    for job, addresses in jobs.items():
        if not isinstance(addresses, list) or not addresses:
            raise InputError(f"TF_CONFIG lists the addresses of each {job}. Received: {addresses!r}.")
        for address in addresses:
            if not isinstance(address, str) or not re.fullmatch(r"\S+:\d+", address):
                raise InputError(f"An address in TF_CONFIG is written 'host:port'. Received: {address!r}.")
    everybody = [address for addresses in jobs.values() for address in addresses]
    if len(set(everybody)) < len(everybody):
        raise InputError(f"Each worker in TF_CONFIG has an address of its own. Received: {', '.join(everybody)}.")
    kind, index = task.get("type"), task.get("index")
    if kind not in jobs:
        raise InputError(f"The task type in TF_CONFIG is one of {sorted(jobs)}. Received: {kind!r}.")
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(jobs[kind]):
        raise InputError(f"The task index in TF_CONFIG is from 0 to {len(jobs[kind]) - 1}. Received: {index!r}.")
    return {"cluster": jobs, "task": {"type": kind, "index": index}}


def _part(content: Any, name: str, text: str) -> dict[str, Any]:
    if not isinstance(content, dict) or not isinstance(content.get(name), dict):
        raise InputError(f"TF_CONFIG is an object with the objects 'cluster' and 'task'; {name!r} is not there. "
                         f"Received: {text}.")  # fmt: skip
    return content[name]


def cluster_from_slurm(environ: Mapping[str, str]) -> Cluster:
    """The cluster of a Slurm step, from the variables that srun sets.

    `tf.distribute.cluster_resolver.SlurmClusterResolver` is not used: it sorts host names as text, so that rank 0
    of n[9-10] is sought on n10, and fails on machines without nvidia-smi.

    Args:
        environ: With SLURM_STEP_NODELIST, SLURM_STEP_TASKS_PER_NODE, SLURM_PROCID, SLURM_JOB_ID.

    Raises:
        InputError: A variable is missing or malformed, or ranks do not follow the order of the nodes.
    """
    hosts = expand_hosts(_variable(environ, "SLURM_STEP_NODELIST"))
    tasks = _expand_counts(_variable(environ, "SLURM_STEP_TASKS_PER_NODE"))
    rank, job = (_whole(environ, name) for name in ("SLURM_PROCID", "SLURM_JOB_ID"))
    if len(tasks) != len(hosts) or rank >= sum(tasks):
        raise InputError(
            f"SLURM_STEP_TASKS_PER_NODE has a count for each of {len(hosts)} nodes, and ranks below their sum. "
            f"Received: {environ['SLURM_STEP_TASKS_PER_NODE']}, rank {rank}."
        )
    port = _FIRST_PORT + job % _PORT_RANGES * _PORTS_OF_A_JOB
    places = [(node, local) for node, count in enumerate(tasks) for local in range(count)]
    if int(environ.get("SLURM_NODEID", places[rank][0])) != places[rank][0]:
        raise InputError(
            "The tasks of a Slurm step fill one node after the other: start it with srun --distribution=block. "
            f"Received: rank {rank} on node {environ['SLURM_NODEID']}, not {places[rank][0]}."
        )
    workers = [f"{hosts[node]}:{port + local}" for node, local in places]
    return {"cluster": {"worker": workers}, "task": {"type": "worker", "index": rank}}


def expand_hosts(text: str) -> list[str]:
    """`"n[1-2,04],m"` as `["n1", "n2", "n04", "m"]`, in this order."""
    hosts = []
    for part in re.findall(r"[^,\[\]]+(?:\[[^\]]*\][^,\[\]]*)*", text):
        names = [""]
        for fixed, ranges in re.findall(r"([^\[\]]+)|\[([^\]]*)\]", part):
            numbers = [fixed] if fixed else [number for piece in ranges.split(",") for number in _numbers(piece, text)]
            names = [name + number for name in names for number in numbers]
        hosts += names
    return hosts


def _numbers(piece: str, text: str) -> list[str]:
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", piece)
    if match is None:
        raise InputError(f"A Slurm node list is written like n[1-2,4]. Received: {text!r}.")
    first, last = match[1], match[2] or match[1]
    return [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]


def _expand_counts(text: str) -> list[int]:
    """`"2(x3),1"` as `[2, 2, 2, 1]`."""
    counts = []
    for piece in text.split(","):
        match = re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", piece)
        if match is None:
            raise InputError(f"SLURM_STEP_TASKS_PER_NODE is written like 2(x3),1. Received: {text!r}.")
        counts += [int(match[1])] * int(match[2] or 1)
    return counts


def _variable(environ: Mapping[str, str], name: str) -> str:
    if not environ.get(name):
        raise InputError(f"A Slurm step of several tasks has {name}; start it with srun. Received: none.")
    return environ[name]


def _whole(environ: Mapping[str, str], name: str) -> int:
    value = _variable(environ, name)
    if not value.isdecimal():
        raise InputError(f"{name} is a whole number. Received: {value!r}.")
    return int(value)


# The strategies


def _mirrored() -> tf.distribute.Strategy:
    if tf.config.get_visible_devices("GPU"):
        return tf.distribute.MirroredStrategy()
    # Processors of one machine share their memory: no collectives, whose keys clash from one strategy to the next.
    return tf.distribute.MirroredStrategy(cross_device_ops=tf.distribute.ReductionToOneDevice())


def _multi_worker(cluster: Cluster) -> tf.distribute.Strategy:
    _take_own_gpus(os.environ)
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(cluster["cluster"]),
        task_type=cluster["task"]["type"],
        task_id=cluster["task"]["index"],
        num_accelerators={"GPU": len(tf.config.get_visible_devices("GPU"))},
        rpc_layer="grpc",
    )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    except RuntimeError as error:
        raise InputError(
            "Several workers have to be set up before TensorFlow runs its first operation; call "
            f"kmatgen.distribute.strategy at the start of the program. Received: {error}."
        ) from error


def _take_own_gpus(environ: Mapping[str, str]) -> None:
    """Share the GPUs of a machine among its Slurm tasks, where Slurm has not done it (--gpus-per-task)."""
    gpus = tf.config.get_visible_devices("GPU")
    own = own_share(len(gpus), environ)
    if own != slice(None):
        tf.config.set_visible_devices(gpus[own], "GPU")


def own_share(gpus: int, environ: Mapping[str, str]) -> slice:
    """Which of the GPUs that this Slurm task sees it may use."""
    if "TF_CONFIG" in environ or "SLURM_STEP_TASKS_PER_NODE" not in environ or "SLURM_GPUS_PER_TASK" in environ:
        return slice(None)
    here = _expand_counts(environ["SLURM_STEP_TASKS_PER_NODE"])[int(environ.get("SLURM_NODEID", 0))]
    if gpus < here:
        return slice(None)
    each, local = gpus // here, int(environ.get("SLURM_LOCALID", 0))
    return slice(local * each, (local + 1) * each)
