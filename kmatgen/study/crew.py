"""The crew of a study: starts a process for each member, looks after them, and records those that were killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from kmatgen.study.grid import Member
from kmatgen.study.store import Record, State, StudyStore
from kmatgen.study.worker import STORAGE_VARIABLE, TAKEN

# How Python is told to be a worker.
WORKER = ("-m", "kmatgen.study.worker")
# Seconds from one look at the workers and the storage to the next.
_POLL = 0.5
# Seconds that a worker has to end when it is told to.
_PATIENCE = 10.0
# Bytes of a log that are kept as the error of a process that was killed.
_LOG_TAIL = 4000
_ENDED = (State.FINISHED, State.FAILED)


class _Worker(NamedTuple):
    number: int
    process: subprocess.Popen


class Crew:
    """The workers of one `kmatgen.study.run_study`, by the name of their member.

    Args:
        store: What is known of the members; workers write there too.
        folder: Folder of the study.
        members: The members to work off.
        jobs: Workers at a time.
    """

    def __init__(self, store: StudyStore, folder: Path, members: list[Member], jobs: int) -> None:
        self.store = store
        self.folder = folder / "members"
        self.members = members
        self.jobs = jobs
        self.workers: dict[str, _Worker] = {}
        self._shown = (-1, "")

    def work(self, verbose: bool) -> None:
        """Keep workers at work until every member is finished or failed, here or elsewhere."""
        records = self.store.records()
        ended = sum(records[member.name].state in _ENDED for member in self.members)
        with tqdm(total=len(self.members), initial=ended, unit="member", smoothing=0, disable=not verbose) as bar:
            try:
                while not self._step(bar):
                    time.sleep(_POLL)
            except BaseException:
                self._stop()
                raise

    def _step(self, bar: tqdm) -> bool:
        """One look at everything; true when nothing is left to do."""
        self._dismiss()
        self.store.sweep(own=[worker.number for worker in self.workers.values()])
        self.store.enqueue(self.members)
        everybody = self.store.records()
        records = [everybody[member.name] for member in self.members]
        waiting = [record for record in records if record.state == State.WAITING and record.name not in self.workers]
        for record in waiting[: self.jobs - len(self.workers)]:
            self.workers[record.name] = _Worker(record.number, self._start(record))
        self._show(bar, records)
        return not self.workers and all(record.state in _ENDED for record in records)

    def _start(self, record: Record) -> subprocess.Popen:
        command = [sys.executable, *WORKER, "--study", self.store.name]
        command += ["--number", str(record.number), "--folder", str(self.folder / record.name)]
        with self._log(record.name).open("ab") as log:
            # In a session of its own, a worker hears of Ctrl-C from us and not from the terminal.
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_environment(self.store.url, self.jobs),
                start_new_session=True,
            )

    def _dismiss(self) -> None:
        """Say good-bye to workers that ended; what ended without a result or an error has failed."""
        ended = {name: worker for name, worker in self.workers.items() if worker.process.poll() is not None}
        records = self.store.records() if ended else {}
        for name, (number, process) in ended.items():
            del self.workers[name]
            record, code = records[name], process.returncode
            own = record.number == number and record.notes.get("pid", process.pid) == process.pid
            if code != TAKEN and own and record.state in (State.WAITING, State.RUNNING):
                self.store.fail(number, f"The process ended without a word, {_meaning(code)}.\n\n{self._tail(name)}")

    def _stop(self) -> None:
        """End all workers and let go of their members."""
        for worker in self.workers.values():
            worker.process.terminate()
        deadline = time.monotonic() + _PATIENCE
        for worker in self.workers.values():
            try:
                worker.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
        # Finished or failed members stay what they are; the others are lost, and wait again with the next start.
        self.store.sweep()

    def _show(self, bar: tqdm, records: list[Record]) -> None:
        failed = sum(record.state == State.FAILED for record in records)
        running = [record for record in records if record.state == State.RUNNING]
        progress = [f"{record.name} {self._epochs(record.name)}/{_wanted_epochs(record)}" for record in running]
        text = "; ".join([*([f"{failed} failed"] if failed else []), *progress])
        ended = sum(record.state in _ENDED for record in records)
        # A terminal shows the seconds pass; a log file has a line for each step only.
        if (ended, text) != self._shown or sys.stderr.isatty():
            bar.n, self._shown = ended, (ended, text)
            bar.set_postfix_str(text, refresh=False)
            bar.refresh()

    def _epochs(self, name: str) -> int:
        """Number of epochs that a member has finished so far, where its run is on this machine."""
        history = self.folder / name / "history.csv"
        return max(0, history.read_bytes().count(b"\n") - 1) if history.is_file() else 0

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log.txt"

    def _tail(self, name: str) -> str:
        return self._log(name).read_bytes()[-_LOG_TAIL:].decode("utf-8", "replace")


def _wanted_epochs(record: Record) -> int:
    return record.notes["config"]["fit"]["epochs"]


def _environment(url: str, jobs: int) -> dict[str, str]:
    """The environment of a worker: several share the cores evenly, and a GPU as each needs it."""
    environment = {**os.environ, STORAGE_VARIABLE: url, "TQDM_DISABLE": "1"}
    environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if jobs > 1:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
            environment.setdefault(name, str(max(1, cores // jobs)))
        environment.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    return environment


def _meaning(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        name = signal.Signals(-code).name
        return f"exit code {code} ({name}{', often for want of memory' if name == 'SIGKILL' else ''})"
    return f"exit code {code}"
