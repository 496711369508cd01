"""What a study knows of its members, on Optuna's storage: who waits, runs, finished, failed or was lost.

A member is an Optuna trial. Its state is never kept anywhere else, so that any process on any machine that
can reach the storage sees the same study.
"""

from __future__ import annotations

import contextlib
import json
import os
import warnings
from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import optuna
from optuna.exceptions import ExperimentalWarning, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from kmatgen.errors import InputError
from kmatgen.presets import Config, leaves
from kmatgen.study.grid import Factors, Member
from kmatgen.study.storage import GRACE, connect, is_alive, machine

# What a member is known by in a word: of a GAN, which has two losses, the generator's.
_FINAL_LOSSES = ("val_loss", "loss", "val_g_loss", "g_loss")

# A traceback goes into one field of the storage; MySQL's holds 64 KB.
_LONGEST_ERROR = 20_000


class State(StrEnum):
    """What became of a member."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    # It was running, its process is gone and left no error: it has to run again.
    LOST = "lost"


# What Optuna calls them; of several trials of one member, those of the first kind count.
_LIVING = {
    TrialState.COMPLETE: State.FINISHED,
    TrialState.RUNNING: State.RUNNING,
    TrialState.WAITING: State.WAITING,
}


class Record(NamedTuple):
    """A member as the storage knows it.

    Attributes:
        name: Name of the member.
        state: What became of it.
        number: Number of its trial in Optuna.
        labels: The label of each factor.
        seed: Its seed.
        notes: `config`, and later `machine`, `pid`, `losses`, `floors`, `parameters`, `seconds`, `epochs`,
            `resumed`, `run`, `error`.
    """

    name: str
    state: State
    number: int
    labels: dict[str, str]
    seed: int
    notes: dict[str, Any]


def final_loss(losses: Mapping[str, float]) -> float | None:
    """The one of a member's last logs that stands for them: that of held-out data where there is one."""
    return next((losses[name] for name in _FINAL_LOSSES if name in losses), None)


class StudyStore:
    """The members of one study. A context manager; closing it lets go of the storage.

    Args:
        url: `sqlite:///FILE`, `postgresql://...` or `mysql://...`.
        name: Name of the study in the storage; it is made where it is missing.
        grace: Seconds without a sign of life after which a running member counts as lost.

    Raises:
        InputError: The storage cannot be reached.
    """

    def __init__(self, url: str, name: str, grace: int = GRACE) -> None:
        self.url = url
        self.name = name
        self._storage = connect(url, grace)
        self.study = optuna.create_study(storage=self._storage, study_name=name, load_if_exists=True)

    def __enter__(self) -> StudyStore:
        return self

    def __exit__(self, *_: object) -> None:
        self._storage.remove_session()
        self._storage.engine.dispose()

    def agree(self, base: Config, factors: Factors) -> None:
        """Note what all members share and what the labels mean, or make sure that it is what the study began with.

        Raises:
            InputError: It is not; the study was left as it was.
        """
        base, factors = json.loads(json.dumps([base, factors]))
        notes = self.study.user_attrs
        if "base" in notes:
            before, now = dict(leaves(notes["base"])), dict(leaves(base))
            for path in [*before, *now]:
                if before.get(path) != now.get(path):
                    raise InputError(
                        f"This study has {path}={json.dumps(before.get(path))} for all members; keep that, or start "
                        f"another study in another folder. Received: {path}={json.dumps(now.get(path))}."
                    )
            factors = _joined(notes["factors"], factors)
        self.study.set_user_attr("base", base)
        self.study.set_user_attr("factors", factors)

    def enqueue(self, members: Iterable[Member], retry_failed: bool = False) -> None:
        """Let members wait that are new or were lost and, where wanted, those that failed."""
        records = self.records()
        again = {State.LOST, State.FAILED} if retry_failed else {State.LOST}
        for member in members:
            record = records.get(member.name)
            if record is not None and record.state not in again:
                continue
            notes = {"member": member.name, "labels": member.labels, "seed": member.seed, "config": member.config}
            # Every parameter as text: Optuna takes numbers that are merely close for the same.
            params = {**member.labels, "seed": str(member.seed)}
            self.study.enqueue_trial(params, user_attrs=notes, skip_if_exists=record is None)

    def records(self) -> dict[str, Record]:
        """Every member of the study by its name, in the order in which they came."""
        trials: dict[str, list[FrozenTrial]] = {}
        for trial in self.study.get_trials(deepcopy=False):
            if "member" in trial.user_attrs and "duplicate" not in trial.user_attrs:
                trials.setdefault(trial.user_attrs["member"], []).append(trial)
        return {name: _record(name, group) for name, group in trials.items()}

    def claim(self, number: int) -> bool:
        """Take a waiting member for this process; false where another has it."""
        trial_id = self._trial_id(number)
        # The first sign of life comes before the claim: a claim without one could never be told to be lost.
        self._storage.record_heartbeat(trial_id)
        try:
            if not self._storage.set_trial_state_values(trial_id, TrialState.RUNNING):
                return False
        except UpdateFinishedTrialError:
            return False
        # In this order: a process number without its machine would mean nothing.
        self.note(number, machine=machine(), pid=os.getpid())
        if self._is_duplicate(number):
            self.note(number, duplicate=True)
            self._end(number)
            return False
        return True

    def note(self, number: int, **notes: Any) -> None:
        """Keep something about an unfinished member."""
        for key, value in notes.items():
            self._storage.set_trial_user_attr(self._trial_id(number), key, value)

    def beat(self, number: int) -> bool:
        """Give a sign of life; false where the member was taken away meanwhile."""
        trial_id = self._trial_id(number)
        self._storage.record_heartbeat(trial_id)
        return self._storage.get_trial(trial_id).state == TrialState.RUNNING

    def finish(self, number: int, value: float, **notes: Any) -> None:
        """Record the result of a member."""
        self.note(number, **notes)
        self.study.tell(number, value)

    def fail(self, number: int, error: str) -> None:
        """Record that a member failed, and why; one that ended meanwhile stays as it is."""
        with contextlib.suppress(UpdateFinishedTrialError):
            self.note(number, error=error[-_LONGEST_ERROR:])
            self._end(number)

    def release(self, number: int) -> None:
        """Let go of a member that was stopped; `enqueue` takes it up again."""
        self._end(number)

    def sweep(self, own: Collection[int] = ()) -> None:
        """Let go of members whose process is gone: at once on this machine, elsewhere when their heart has stopped.

        Args:
            own: Numbers of trials that the caller watches itself.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            optuna.storages.fail_stale_trials(self.study)
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            pid = trial.user_attrs.get("pid")
            here = pid is not None and trial.user_attrs["machine"] == machine()
            if here and trial.number not in own and not is_alive(pid):
                self.release(trial.number)

    def _end(self, number: int) -> None:
        # Unless it ended by itself, or another process was quicker.
        with contextlib.suppress(UpdateFinishedTrialError):
            self._storage.set_trial_state_values(self._trial_id(number), TrialState.FAIL)

    def _is_duplicate(self, number: int) -> bool:
        """Two processes that enqueue at the same moment can enqueue the same member: the first one counts."""
        trials = self.study.get_trials(deepcopy=False)
        own = next(trial for trial in trials if trial.number == number)
        return any(
            trial.state == TrialState.COMPLETE or (trial.number < number and not trial.state.is_finished())
            for trial in trials
            if trial.number != number and trial.user_attrs.get("member") == own.user_attrs["member"]
        )

    def _trial_id(self, number: int) -> int:
        study_id = self._storage.get_study_id_from_name(self.name)
        return self._storage.get_trial_id_from_study_id_trial_number(study_id, number)


def _record(name: str, trials: list[FrozenTrial]) -> Record:
    """The state of a member: that of its trial that lives or finished, or else of its last."""
    living = [trial for wanted in _LIVING for trial in trials if trial.state == wanted]
    decisive = living[0] if living else trials[-1]
    if living:
        state = _LIVING[decisive.state]
    else:
        state = State.FAILED if "error" in decisive.user_attrs else State.LOST
    notes = decisive.user_attrs
    return Record(name, state, decisive.number, notes["labels"], notes["seed"], notes)


def _joined(before: Factors, now: Factors) -> dict[str, dict[str, Any]]:
    if list(before) != list(now):
        raise InputError(
            f"This study is about {', '.join(before)}; start another study in another folder. "
            f"Received: {', '.join(now)}."
        )
    for factor, labels in now.items():
        for label, changes in labels.items():
            known: Mapping[str, Any] = before[factor].get(label, changes)
            if known != changes:
                raise InputError(
                    f"In this study {factor}={label} means {json.dumps(known)}; give the new one another label. "
                    f"Received: {json.dumps(changes)}."
                )
    return {factor: {**before[factor], **labels} for factor, labels in now.items()}
