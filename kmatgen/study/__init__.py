"""Studies: a grid of models over factors and seeds, trained in parallel, resumable, with one report.

    from kmatgen import study
    study.run_named("latent", {"data.source": "micrographs/"}, "runs/latent", seeds=3, jobs=2)

The state of every member is on Optuna's storage: an SQLite file in the folder of the study, or a PostgreSQL or
MySQL database where several machines work on one study. Each member is a run of its own in `members/`, trained
by a process of its own with its output in `members/NAME.log.txt`. A study that was stopped or killed goes on when
it is started again: finished members stay, members that were killed half-way go on from their last epoch.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna

from kmatgen.data.crystal_entries import holds_crystals
from kmatgen.data.folders import check_source
from kmatgen.data.inspection import image_files
from kmatgen.errors import InputError
from kmatgen.presets import STUDIES, resolve
from kmatgen.run import CONFIG
from kmatgen.study.crew import Crew
from kmatgen.study.grid import Factors, grid
from kmatgen.study.store import State, StudyStore


def run_named(
    name: str,
    settings: Mapping[str, Any] | None,
    folder: str | Path,
    *,
    seeds: int = 3,
    jobs: int = 1,
    storage: str | None = None,
    retry_failed: bool = False,
) -> Path:
    """Run one of `kmatgen.presets.STUDIES`; the arguments are those of `run_study`."""
    if name not in STUDIES:
        raise InputError(f"A study is one of {', '.join(STUDIES)}. Received: {name!r}.")
    _, preset, factors = STUDIES[name]
    return run_study(
        preset,
        factors,
        folder,
        settings=settings,
        seeds=seeds,
        jobs=jobs,
        storage=storage,
        retry_failed=retry_failed,
    )


def run_study(
    preset: str,
    factors: Factors,
    folder: str | Path,
    *,
    settings: Mapping[str, Any] | None = None,
    seeds: int = 3,
    jobs: int = 1,
    storage: str | None = None,
    retry_failed: bool = False,
    verbose: bool = True,
) -> Path:
    """Train every member of a grid that is not finished yet, and write the report.

    Run again with more labels or seeds, it trains only what is new. Failed members do not stop the others:
    see `failures`.

    Args:
        preset: Name of the preset that all members start from.
        factors: For each factor its labels, and for each label the values it sets, by dotted path.
        folder: Folder of the study.
        settings: Values by dotted path that all members share; a study keeps those it began with.
        seeds: Number of seeds, counted from 0.
        jobs: Members trained at a time by this process; they share the processor's cores evenly.
        storage: URL of a PostgreSQL or MySQL database; the study has the name of its folder there.
            `None`: an SQLite file in the folder.
        retry_failed: Train failed members again.
        verbose: Show progress.

    Returns:
        The file `report.html`.

    Raises:
        InputError: The grid contradicts itself or the study in the folder, its data do not exist or are none, or the
            storage cannot be reached.
        KeyboardInterrupt: The study was stopped with Ctrl-C or SIGTERM; so were its workers, and it can go on.
    """
    from kmatgen.study.report import write_study_report

    folder = Path(folder)
    members = grid(preset, factors, settings, seeds)
    if jobs < 1:
        raise InputError(f"A study trains at least 1 member at a time. Received: jobs={jobs}.")
    if (folder / CONFIG).is_file():
        raise InputError(f"A study needs a folder of its own. Received: {folder}, which holds a run.")
    if not (folder / "members").is_dir():  # the report of a finished study needs no data
        for source in dict.fromkeys(member.config["data"]["source"] for member in members):
            _check_data(source)
    (folder / "members").mkdir(parents=True, exist_ok=True)
    with open_store(folder, storage) as store:
        store.agree(resolve(preset, dict(settings or {})), factors)
        store.sweep()
        store.enqueue(members, retry_failed)
        with _stopped_by_sigterm():
            Crew(store, folder, members, jobs).work(verbose)
        return write_study_report(folder, list(store.records().values()), store.study.user_attrs["base"])


def _check_data(source: str) -> None:
    """Refuse data that are not there, or a folder without any, once, and not in each of the members."""
    check_source(source)
    if Path(source).is_dir() and not holds_crystals(source):
        image_files(Path(source))


def failures(folder: str | Path, storage: str | None = None) -> dict[str, str]:
    """The failed members of a study: name and traceback, or the end of the log of a process that was killed."""
    with open_store(Path(folder), storage) as store:
        return {name: record.notes["error"] for name, record in store.records().items() if record.state == State.FAILED}


@contextlib.contextmanager
def open_store(folder: Path, storage: str | None = None) -> Iterator[StudyStore]:
    """The store of the study in a folder, without Optuna's messages about each of its steps."""
    url = storage or f"sqlite:///{(folder.resolve() / 'study.db').as_posix()}"
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with StudyStore(url, folder.resolve().name if storage else "study") as store:
            yield store
    finally:
        optuna.logging.set_verbosity(before)


@contextlib.contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """Let SIGTERM stop a study as Ctrl-C does, so that its workers do not stay behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def _interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
