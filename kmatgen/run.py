"""A run: the folder of one training, from its configuration to its checkpoints, history and report."""

from __future__ import annotations

import contextlib
import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kmatgen.errors import InputError
from kmatgen.files import PARTIAL, completed
from kmatgen.presets import DEFAULTS, Config, leaves, set_path

if TYPE_CHECKING:
    import pandas as pd

    from kmatgen.models.base import GenerativeModel

CONFIG = "config.json"
# A resumed run may train longer, picture more often or use other devices; anything else would be another run.
_MAY_CHANGE = ("fit.epochs", "fit.minutes", "fit.sample_every", "strategy")


class Run:
    """The folder of a run. A new one begins with `begin`, an earlier one with `Run.open`.

    It holds `config.json` (the resolved configuration), `data.json` (what the data were), `history.csv`,
    `checkpoints/`, `samples/`, `metrics.json` and `report.html`.

    Attributes:
        folder: Where the run lives.
        config: Its resolved configuration.
        writes: Whether this process writes into the folder; of several workers, one does.
    """

    def __init__(self, folder: Path, config: Config, writes: bool = True) -> None:
        self.folder = folder
        self.config = config
        self.writes = writes
        self._made: list[Path] = []

    @classmethod
    def open(cls, folder: str | Path, writes: bool = True) -> Run:
        """Open the folder of an earlier run.

        Raises:
            InputError: There is none.
        """
        folder = Path(folder)
        if not (folder / CONFIG).is_file():
            raise InputError(f"A run is a folder with a {CONFIG} in it. Received: {folder}.")
        return cls(folder, json.loads((folder / CONFIG).read_text(encoding="utf-8")), writes)

    def adopt(self, wanted: dict[str, Any]) -> None:
        """Take over the settings given with a resume; they are written when training `begin`s.

        Args:
            wanted: Values by dotted path, only those that were given.

        Raises:
            InputError: There is no such setting, or it differs from the run's own and would make it another run.
        """
        own, defaults, changed = dict(leaves(self.config)), dict(leaves(DEFAULTS)), copy.deepcopy(self.config)
        for path, value in wanted.items():
            if path in _MAY_CHANGE and path not in own:
                # The run began before there was such a setting.
                part, _, name = path.rpartition(".")
                (changed[part] if part else changed)[name] = defaults[path]
            set_path(changed, path, value)
            if path in own and own[path] != value and path not in _MAY_CHANGE:
                raise InputError(
                    f"{self.folder} was trained with {path}={json.dumps(own[path])}; resume it without changing "
                    f"that, or start another run. Received: {path}={json.dumps(value)}."
                )
        if wanted.get("fit.epochs", self.finished_epochs) < self.finished_epochs:
            raise InputError(
                f"{self.folder} has {self.finished_epochs} finished epochs; resume it with as many or more. "
                f"Received: fit.epochs={wanted['fit.epochs']}."
            )
        self.config = changed

    @property
    def name(self) -> str:
        """Name of the run: that of its folder."""
        return self.folder.resolve().name

    @property
    def checkpoint_folder(self) -> Path:
        """Where `EpochCheckpoint` keeps the model."""
        return self.folder / "checkpoints"

    @property
    def history_file(self) -> Path:
        """One row for each finished epoch."""
        return self.folder / "history.csv"

    @property
    def finished_epochs(self) -> int:
        """Number of epochs that were finished and kept."""
        from kmatgen.callbacks import checkpoints

        found = checkpoints(self.checkpoint_folder)
        return found[-1][0] if found else 0

    @property
    def best_file(self) -> Path | None:
        """The checkpoint with the best samples, where samples were judged."""
        from kmatgen.callbacks.runs import BEST

        path = self.checkpoint_folder / BEST
        return path if path.is_file() else None

    def load_model(self, which: str = "last") -> GenerativeModel:
        """A model of the run, compiled.

        Args:
            which: `"last"`, as it was after the last finished epoch and ready to go on, or `"best"`, with the best
                samples; where those were not judged, that is the last, too.

        Raises:
            InputError: No epoch was finished, or `which` is something else.
        """
        from kmatgen.callbacks import checkpoints
        from kmatgen.registry import load_model

        if which not in ("last", "best"):
            raise InputError(f"which is 'last' or 'best'. Received: {which!r}.")
        if which == "best" and self.best_file is not None:
            return load_model(self.best_file)
        found = checkpoints(self.checkpoint_folder)
        if not found:
            raise InputError(f"{self.folder} has no checkpoint: no epoch was finished. Received: {self.folder}.")
        return load_model(found[-1][1])

    def history(self) -> pd.DataFrame:
        """The logs of every finished epoch."""
        import pandas as pd

        if not self.history_file.is_file() or not self.history_file.stat().st_size:
            return pd.DataFrame()
        return pd.read_csv(self.history_file)

    def best_epoch(self) -> tuple[int, float] | None:
        """Number and value of the epoch with the best samples, or None where they were not judged."""
        monitor, history = self.config["fit"].get("monitor"), self.history()
        if monitor not in history or not history[monitor].notna().any():
            return None
        row = history[monitor].idxmin()
        return int(history["epoch"][row]) + 1, float(history[monitor][row])

    def cut_history(self, epochs: int) -> None:
        """Drop the rows of epochs that are to be trained again."""
        history = self.history()
        if len(history) > epochs:
            self._replace(self.history_file, history.head(epochs).to_csv(index=False))

    def begin(self, description: dict[str, Any]) -> None:
        """Write down what is to be trained on what, before training begins or goes on.

        Args:
            description: What the data are.
        """
        if self.writes and not (self.folder / CONFIG).is_file():
            own = [self.folder / "samples", self.checkpoint_folder, self.folder]
            self._made = [folder for folder in own if not folder.exists()]
        self.write_json(CONFIG, self.config)
        if not (self.folder / "data.json").is_file():
            self.write_json("data.json", description)

    def discard(self) -> None:
        """Remove what a run that has begun has written, so that its folder can be used again.

        Nothing is removed once an epoch is finished, nor is anything else that the folder holds.
        """
        if not self._made or self.finished_epochs:
            return
        written = [self.folder / name for name in (CONFIG, "data.json", self.history_file.name)]
        written += [*self.folder.glob("samples/*_0001.png"), *self.checkpoint_folder.glob(f"{PARTIAL}*.keras")]
        for path in written:
            path.unlink(missing_ok=True)
        for folder in self._made:
            # One with something else in it stays.
            with contextlib.suppress(OSError):
                folder.rmdir()

    def check_data(self, description: dict[str, Any]) -> None:
        """Make sure that data are what the run began with, where it has begun.

        Raises:
            InputError: They are not.
        """
        before = self.read_json("data.json").get("content_hash")
        if before is not None and before != description["content_hash"]:
            raise InputError(
                f"The data of {self.folder} have changed since it began; resume with the same files. "
                f"Received: content hash {description['content_hash']}, not {before}."
            )

    def read_json(self, name: str) -> Any:
        """The content of one of the run's JSON files, an empty dict where it is missing."""
        path = self.folder / name
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}

    def write_json(self, name: str, content: Any) -> None:
        """Write one of the run's JSON files, whole or not at all."""
        self._replace(self.folder / name, json.dumps(content, indent=2, default=str) + "\n")

    def _replace(self, path: Path, text: str) -> None:
        if not self.writes:
            return
        with completed(path) as partial:
            partial.write_text(text, encoding="utf-8")


def check_free(folder: str | Path) -> None:
    """Make sure that a run can be started here.

    Raises:
        InputError: The folder holds something already.
    """
    folder = Path(folder)
    if (folder / CONFIG).is_file():
        raise InputError(
            f"{folder} already holds a run; go on with --resume {folder}, or name another folder. Received: {folder}."
        )
    if folder.is_file():
        raise InputError(f"A run goes into a new or an empty folder. Received: {folder}, which is a file.")
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"A run goes into a new or an empty folder. Received: {folder}, which holds other files.")


def holds_model(folder: str | Path) -> bool:
    """Whether a folder is that of a run or of a SavedModel, which samples can be drawn from."""
    return any((Path(folder) / name).is_file() for name in (CONFIG, "saved_model.pb"))
