"""The training step of a model that minimises one loss with one optimiser."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from kmatgen.models.base import GenerativeModel, Logs
from kmatgen.models.structures import length_of


class SingleLossModel(GenerativeModel):
    """An autoencoder or a diffusion: what is minimised differs, how does not."""

    @property
    def trained_variables(self) -> list[keras.Variable]:
        """What training changes."""
        raise NotImplementedError(f"{type(self).__name__} defines trained_variables.")

    def checked_data(self, data: Any) -> tuple[Any, Any]:
        """A batch as samples and what is told of them, or None.

        Raises:
            InputError: The batch is none that the model can be trained on.
        """
        raise NotImplementedError(f"{type(self).__name__} defines checked_data.")

    def losses_of(self, sample: Any, told: Any, seed: tf.Tensor, training: bool) -> tuple[tf.Tensor, Logs]:
        """The loss to minimise, and the values to log.

        Args:
            sample: A batch of data, tensors or dicts of tensors.
            told: What the data tell of it, the condition among it.
            seed: Stateless seed `(2,)` of everything that is drawn.
            training: Whether layers run in training mode.
        """
        raise NotImplementedError(f"{type(self).__name__} defines losses_of.")

    def train_step(self, data: Any) -> Logs:
        sample, told = self.checked_data(data)
        seed = self.next_seed()
        variables = self.trained_variables
        logs = self.minimise(self.optimizer, variables, lambda: self._total_of(sample, told, seed, True))
        return self.track(logs, length_of(sample))

    def test_step(self, data: Any) -> Logs:
        sample, told = self.checked_data(data)
        # A fixed seed: an evaluation can be repeated, and it leaves the random state of training alone.
        _, logs = self._total_of(sample, told, tf.constant([0, 0]), False)
        return self.track(logs, length_of(sample))

    def _total_of(self, sample: Any, told: Any, seed: tf.Tensor, training: bool) -> tuple[tf.Tensor, Logs]:
        """`losses_of`, with what the networks add; as in any Keras model it is in the `loss` that is logged."""
        loss, logs = self.losses_of(sample, told, seed, training)
        total = self.with_added_losses(loss, self.trained_variables)
        return total, {**logs, "loss": total} if "loss" in logs else logs
