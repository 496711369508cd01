"""The moving average of a network's weights and statistics, kept and saved by the model that owns the network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf


class WeightAverage:
    """An exponential moving average of everything in a network that is a number: weights and statistics.

    Batch-normalisation statistics are averaged with the weights they belong to; random states and whole
    numbers are not. It starts as a copy of the network. Of several replicas, the first one's statistics count.

    Args:
        network: A built network.

    Attributes:
        updates: Number of optimiser steps averaged so far.
    """

    def __init__(self, network: keras.Model) -> None:
        weights = [weight for weight in network.weights if keras.backend.is_float_dtype(weight.dtype)]
        # The copies of this process, one for each replica here: to read or to write a variable as a whole takes all
        # workers, and pictures are drawn by one alone.
        copies_of = network.distribute_strategy.experimental_local_results
        self._weights: list[tuple[tf.Variable, ...]] = [copies_of(weight.value) for weight in weights]
        self._averages = [tf.Variable(copies[0], trainable=False) for copies in self._weights]
        self._blend = tf.function(self._keep, input_signature=[tf.TensorSpec((), tf.float32)])
        self._swapped = False
        self.updates = 0

    def update(self, decay: float, steps: int = 1) -> None:
        """Take the network's present values in.

        At update t the average keeps `min(decay, (1 + t) / (10 + t))` of itself, so that the values of the first
        steps are soon forgotten. Where several steps passed since the last call, it keeps the product of theirs.

        Args:
            decay: The share that is kept later on, between 0 and 1.
            steps: Optimiser steps since the last call.
        """
        kept = 1.0
        for _ in range(steps):
            kept *= min(decay, (1 + self.updates) / (10 + self.updates))
            self.updates += 1
        self._blend(tf.constant(kept, tf.float32))

    def _keep(self, share: tf.Tensor) -> None:
        for average, copies in zip(self._averages, self._weights, strict=True):
            value = tf.convert_to_tensor(copies[0])
            average.assign(value + tf.cast(share, value.dtype) * (average - value))

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """Within it the network holds the averages; afterwards its own values again, to the last bit."""
        if self._swapped:
            yield
            return
        raw = [[copy.numpy() for copy in copies] for copies in self._weights]
        self._swapped = True
        try:
            self._assign(
                [[average] * len(copies) for average, copies in zip(self._averages, self._weights, strict=True)]
            )
            yield
        finally:
            self._assign(raw)
            self._swapped = False

    def _assign(self, values: list[list[Any]]) -> None:
        for copies, each in zip(self._weights, values, strict=True):
            for copy, value in zip(copies, each, strict=True):
                copy.assign(value)

    # In the model's file

    def save(self, store: Any, name: str) -> None:
        """Write the average under names that start with `name`."""
        store[f"{name}_updates"] = np.asarray(self.updates)
        for index, average in enumerate(self._averages):
            store[f"{name}_{index}"] = average.numpy()

    def load(self, store: Any, name: str) -> None:
        """Read what `save` wrote."""
        self.updates = int(store[f"{name}_updates"])
        for index, average in enumerate(self._averages):
            average.assign(store[f"{name}_{index}"])

    @staticmethod
    def is_in(store: Any, name: str) -> bool:
        """Whether an average was written under this name."""
        return f"{name}_updates" in store


class Weights(list[np.ndarray]):
    """The weights of a model, with those of its averages as they were at the same time.

    Args:
        weights: Of the model.
        averages: By network.
    """

    def __init__(self, weights: list[np.ndarray], averages: dict[str, WeightAverage]) -> None:
        super().__init__(weights)
        self.averages: dict[str, dict[str, Any]] = {role: {} for role in averages}
        for role, average in averages.items():
            average.save(self.averages[role], role)
