"""A progress bar that ends where an epoch does, and shows what there is."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


class Progress(keras.callbacks.ProgbarLogger):
    """Keras' own bar with two differences.

    With `steps_per_execution` Keras counts in whole groups of steps and may pass the end. And logs of callbacks that
    are NaN, as those of `EvaluateSamples` in epochs without a look, are left out; a loss that is NaN is shown.
    """

    # As with the bar that Keras adds: batches need not wait for it.
    async_safe = True

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        super().on_train_batch_end(self._within(batch), logs)

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        super().on_test_batch_end(self._within(batch), logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        own = {name for metric in self.model.metrics for name in (metric.name, f"val_{metric.name}")}
        shown = {name: value for name, value in (logs or {}).items() if name in own or not np.isnan(value).all()}
        super().on_epoch_end(epoch, shown)

    def _within(self, batch: int) -> int:
        return batch if self.target is None else min(batch, self.target - 1)


def with_progress(options: dict[str, Any]) -> dict[str, Any]:
    """Options of `fit` or `evaluate` with this bar among the callbacks, where there is to be one."""
    callbacks = options.get("callbacks") or []
    if options.get("verbose", "auto") == 0 or isinstance(callbacks, keras.callbacks.CallbackList):
        return options
    listed = list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]
    if any(isinstance(callback, keras.callbacks.ProgbarLogger) for callback in listed):
        return options
    return {**options, "callbacks": [*listed, Progress()]}
