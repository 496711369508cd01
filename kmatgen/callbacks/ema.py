"""Averaged weights: what a GAN or a diffusion model is sampled and exported with."""

from __future__ import annotations

from contextlib import AbstractContextManager
from numbers import Real

import keras
import numpy as np

from kmatgen.errors import InputError
from kmatgen.models.averages import WeightAverage

# What is averaged where a model has several networks.
_AVERAGED = ("generator", "denoiser")


class GeneratorEMA(keras.callbacks.Callback):
    """Keep an exponential moving average of a network's weights and statistics.

    A generator circles around the equilibrium of its game; the average of its weights lies nearer to it
    (Yazici et al., "The unusual effectiveness of averaging in GAN training", 2019).

    The network itself keeps its raw weights: training, validation losses and `model.save` see those. The average
    belongs to the model, as `model.averages[network]`: it is in its `.keras` file and in what `BackupAndRestore`
    writes, so that a resume is exact. Everything that the model computes for a user (`generate`, and where it has
    them `decode`, `encode`, `reconstruct`) and every export is made with the averages, from the first step on,
    while training and after it. `model.averages.clear()` goes back to the raw weights; that is also what to do
    before training on without this callback, since the average would stay where it is.

    Give it before the callbacks that save in the middle of an epoch. Updates are counted with
    `optimizer.iterations`: with `steps_per_execution` of k there is one update for k steps, which weighs as much.

    Args:
        decay: Share of the average that an update keeps, once warmed up; see `WeightAverage.update`.
        network: Name of the network. `None`: the generator or the denoiser, or the only network of the model.

    Raises:
        InputError: `decay` is not between 0 and 1; on `fit`, the model has no such network.
    """

    def __init__(self, decay: float = 0.999, network: str | None = None) -> None:
        super().__init__()
        if not isinstance(decay, Real) or not 0 < decay < 1:
            raise InputError(f"GeneratorEMA needs a decay between 0 and 1. Received: decay={decay!r}.")
        self.decay = decay
        self.network = network

    @property
    def role(self) -> str:
        """Name of the network that is averaged."""
        roles = [role for role in self.model.NETWORKS if getattr(self.model, role) is not None]
        default = roles[0] if len(roles) == 1 else next((role for role in _AVERAGED if role in roles), None)
        role = default if self.network is None else self.network
        if role not in roles:
            raise InputError(
                f"GeneratorEMA averages one of the networks of {type(self.model).__name__}: {', '.join(roles)}. "
                f"Received: network={self.network!r}."
            )
        return role

    @property
    def average(self) -> WeightAverage:
        """The model's average, begun here where there is none; a loaded file may have brought one."""
        averages, role = self.model.averages, self.role
        if role not in averages:
            averages[role] = WeightAverage(getattr(self.model, role))
        return averages[role]

    def swap(self) -> AbstractContextManager[None]:
        """A context in which the network itself holds the averaged weights, for instance to look at or save them."""
        return self.model.averaged_weights()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        # Not in on_train_begin, where BackupAndRestore may still load an earlier state.
        _ = self.average
        self._counted = steps_taken(self.model)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        iterations = steps_taken(self.model)
        # A step that loss scaling skipped is no step.
        if iterations > self._counted:
            self.average.update(self.decay, iterations - self._counted)
        self._counted = iterations


def steps_taken(model: keras.Model) -> int:
    """Optimiser steps so far; batches would be counted wrongly with `steps_per_execution`."""
    # Under tf.distribute the counter is a variable with several copies, which int() does not take.
    return int(np.asarray(model.optimizer.iterations))
