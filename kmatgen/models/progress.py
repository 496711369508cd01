"""A progress bar that ends where an epoch does."""

from __future__ import annotations

from typing import Any

import keras


class Progress(keras.callbacks.ProgbarLogger):
    """Keras' own bar, which with `steps_per_execution` counts in whole groups of steps and may pass its end."""

    # As with the bar that Keras adds: batches need not wait for it.
    async_safe = True

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        super().on_train_batch_end(self._within(batch), logs)

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        super().on_test_batch_end(self._within(batch), logs)

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
