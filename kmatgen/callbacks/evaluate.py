"""Judge samples while a model trains, so that the best checkpoint is the one with the best samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kmatgen import distribute
from kmatgen.errors import InputError
from kmatgen.evaluation.metric import Metric, get_metrics
from kmatgen.evaluation.view import Eye, Settings, View, as_samples

METRICS = ("kid", "two_point")


class EvaluateSamples(keras.callbacks.Callback):
    """Compare generated samples with real ones every few epochs, and write what is found into the logs.

    The names in the logs are those of the metrics with `val_` before them, so that Keras' own callbacks can watch them;
    these come after this one and have to be told that less is better:

        callbacks=[
            kg.callbacks.EvaluateSamples(held_out, every=5),
            keras.callbacks.ModelCheckpoint("best.keras", monitor="val_kid", mode="min", save_best_only=True),
            keras.callbacks.EarlyStopping(monitor="val_kid", mode="min", patience=20),
        ]

    Samples are of the same latent points each time, and are drawn with averaged weights where a model has them. The
    logs have NaN for epochs without a look, and for metrics that cannot be computed, which is said once. Of several
    workers the chief looks and tells the others.

    Args:
        real: Held-out samples `(n, ..., channels)` in [0, 1].
        every: Epochs from one look to the next; the first epoch has one too, and one that another callback ends
            training after.
        metrics: Names of metrics or `kmatgen.evaluation.Metric` objects.
        n: Number of samples, and of real ones at most.
        seed: Seed of the samples.
        condition: What `generate` is asked for. `None`: what the model itself gives as an example.
        settings: How samples are looked at: segmentation, features.
        earlier: Logs of epochs before a resume, a row each: with one, the first epoch is like any other.

    Raises:
        InputError: An argument is out of range, or there is no such metric.
    """

    def __init__(
        self,
        real: np.ndarray,
        every: int = 5,
        metrics: str | Metric | Sequence[str | Metric] = METRICS,
        n: int = 256,
        seed: int = 0,
        condition: Any = None,
        settings: Settings | None = None,
        earlier: Iterable[Mapping[str, float]] = (),
    ) -> None:
        super().__init__()
        if every < 1 or n < 2:
            raise InputError(
                f"EvaluateSamples needs every of at least 1 and n of at least 2. Received: every={every}, n={n}."
            )
        real = as_samples("real", real)
        # Neighbouring rows may be patches of one image: spread over all of them.
        real = real[np.unique(np.linspace(0, len(real) - 1, min(n, len(real))).round().astype(int))]
        self.every = every
        self.n = n
        self.seed = seed
        self.condition = condition
        self.metrics = get_metrics(metrics)
        wants_training = [metric.name for metric in self.metrics if metric.training]
        if wants_training:
            raise InputError(
                "EvaluateSamples has held-out samples alone; judge with training samples by kmatgen.evaluate, "
                f"after the training. Received: {', '.join(wants_training)}."
            )
        self.eye = Eye(settings or Settings(seed=seed), real)
        self.real = View(real, self.eye)
        self.reasons: dict[str, str] = {}
        self._described: dict[str, np.ndarray] = {}
        self._looked = any(np.isfinite(row.get(name, np.nan)) for row in earlier for name in self.names)

    @property
    def names(self) -> list[str]:
        """Names in the logs."""
        return [f"val_{metric.name}" for metric in self.metrics]

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = {} if logs is None else logs
        logs.update(dict.fromkeys(self.names, np.nan))
        # Monitors take their first value for the best so far, and nothing is better than NaN.
        if self._looked and (epoch + 1) % self.every and not self.model.stop_training:
            return
        self._looked = True
        strategy = self.model.distribute_strategy
        several_workers = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
        values = self.look() if distribute.is_chief(strategy) else dict.fromkeys(self.names, np.nan)
        if several_workers:
            values = {name: _of_chief(strategy, value) for name, value in values.items()}
        logs.update(values)

    def look(self) -> dict[str, float]:
        """The metrics of samples of the model as it is now."""
        condition = self.model.example_condition(self.n) if self.condition is None else self.condition
        samples = self.model.generate(self.n, condition, seed=self.seed)
        try:
            view = View(as_samples("generated", samples), self.eye)
        except InputError as error:
            self._say("samples", str(error))
            return dict.fromkeys(self.names, np.nan)
        return {f"val_{metric.name}": self._value(metric, view) for metric in self.metrics}

    def _value(self, metric: Metric, generated: View) -> float:
        try:
            if metric.name not in self._described:
                self._described[metric.name] = metric.describe(self.real)
            return metric(self._described[metric.name], metric.describe(generated))
        except InputError as error:
            self._say(metric.name, str(error))
            return np.nan

    def _say(self, name: str, reason: str) -> None:
        if name not in self.reasons and self.params.get("verbose", 1):
            # The progress bar has not ended its line yet.
            print(f"\n{name} cannot be computed: {reason}", flush=True)
        self.reasons[name] = reason


def _of_chief(strategy: tf.distribute.Strategy, value: float) -> float:
    """The chief's value on every worker; whole numbers travel, so its 64 bits go as one of those."""
    bits = int(np.float64(value).view(np.int64))
    return float(np.int64(distribute.gather(strategy, bits)[0]).view(np.float64))
