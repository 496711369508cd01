"""Stop as soon as a loss is no number any more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from kmatgen.callbacks.ema import steps_taken
from kmatgen.callbacks.runs import checkpoints
from kmatgen.errors import TrainingError

# In the order in which a step computes them; everything else that is logged goes into one of the first three.
_TOTALS = ("d_loss", "g_loss", "loss", "d_real", "d_fake")


class StopOnNonFinite(keras.callbacks.Callback):
    """Stop at the first step after which a log is NaN or infinite, and name the term that it came from.

    Logs are running means since the epoch began, in which a NaN stays, so the first batch that shows one is the
    first that had one. Of several, the one that a step computes first is named: the discriminator's terms, other
    terms and parts of the loss, and only then the totals that they go into.

    A step can also end in weights that are not finite from losses that are; so the weights are looked at when
    an epoch ends. Given before `EpochCheckpoint`, the last checkpoint is always good.

    Args:
        folder: Folder of the checkpoints of `EpochCheckpoint`, to name the last good one.

    Raises:
        TrainingError: While training; says what happened at which step (`optimizer.iterations`, from 1).
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        super().__init__()
        self.folder = folder

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        bad = {name: value for name, value in (logs or {}).items() if not np.isfinite(value).all()}
        if bad:
            first = min(sorted(bad), key=lambda name: _rank(self.model, name))
            raise TrainingError(f"{first} is {float(np.ravel(bad[first])[0])} {self._where()}; {self._way_back()}.")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        for weight in self.model.weights:
            if not np.isfinite(np.asarray(weight)).all():
                step = steps_taken(self.model)
                raise TrainingError(f"The weight {weight.path} is not finite after step {step}; {self._way_back()}.")

    def _where(self) -> str:
        last, group = steps_taken(self.model), self.model.steps_per_execution
        return f"at step {last}" if group == 1 else f"at a step from {max(1, last - group + 1)} to {last}"

    def _way_back(self) -> str:
        found = checkpoints(self.folder) if self.folder is not None else []
        if found:
            return f"the last good checkpoint is {found[-1][1]}"
        return "there is no checkpoint to go back to"


def _rank(model: keras.Model, name: str) -> tuple[int, int]:
    """Where in a step a log is computed, as a sorting key."""
    if name in _TOTALS:
        return 2, _TOTALS.index(name)
    sides = ((term.name, f"d_{term.name}") for term in getattr(model, "terms", ()) if hasattr(term, "d_loss"))
    of_discriminator = any(name in names for names in sides)
    listed = [metric.name for metric in model.metrics]
    return (0 if of_discriminator else 1), listed.index(name) if name in listed else len(listed)
