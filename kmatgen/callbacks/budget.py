"""Training by the clock: as many epochs as fit into a budget of wall time."""

from __future__ import annotations

import time
from numbers import Real

import keras
import tensorflow as tf

from kmatgen import distribute
from kmatgen.errors import InputError


class StopAfterMinutes(keras.callbacks.Callback):
    """End training after the epoch in which a budget of wall time is used up, so that models can be compared fairly.

    The time counts from the beginning of `fit`, tracing and callbacks included; after a resume it begins anew. Of
    several workers the chief's clock counts.

    Args:
        minutes: The budget.

    Raises:
        InputError: It is not a number above 0.
    """

    def __init__(self, minutes: float) -> None:
        super().__init__()
        if not isinstance(minutes, Real) or isinstance(minutes, bool) or not minutes > 0:
            raise InputError(f"StopAfterMinutes takes a number of minutes above 0. Received: {minutes!r}.")
        self.minutes = minutes
        self._began = 0.0

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        over = time.perf_counter() - self._began >= 60.0 * self.minutes
        strategy = self.model.distribute_strategy
        if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            over = bool(distribute.gather(strategy, int(over))[0])
        if over:
            self.model.stop_training = True
