"""What belongs to a model beside its weights: its random state, and the averages of its weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kmatgen.errors import InputError
from kmatgen.models.averages import WeightAverage, Weights


class SavedState:
    """Files and lists of weights that bring a model back as it was, averages and random state included.

    Attributes:
        averages: By network, of those that a callback averages (`kmatgen.callbacks.GeneratorEMA`).
    """

    averages: dict[str, WeightAverage]

    def _random_states(self) -> list[keras.Variable]:
        return [variable for variable in self.variables if variable.path.endswith("seed_generator_state")]

    def save(self, filepath: str | Path, *arguments: Any, **options: Any) -> None:
        """As `keras.Model.save`, to a `.keras` file; in Keras' older format the random state would be lost.

        Raises:
            InputError: It is an HDF5 file of the older format.
        """
        if Path(filepath).suffix in (".h5", ".hdf5"):
            raise InputError(f"A model is saved to a .keras file. Received: {filepath}.")
        super().save(filepath, *arguments, **options)

    def save_own_variables(self, store: Any) -> None:
        """Save averaged weights and the random state, of the model and of its layers: Keras leaves it out (trap 4)."""
        for index, variable in enumerate(self._random_states()):
            store[f"random_state_{index}"] = np.asarray(variable)
        for role, average in self.averages.items():
            average.save(store, f"average_{role}")

    def load_own_variables(self, store: Any) -> None:
        for index, variable in enumerate(self._random_states()):
            variable.assign(store[f"random_state_{index}"])
        self.averages.clear()
        for role in self.NETWORKS:
            if WeightAverage.is_in(store, f"average_{role}"):
                self.averages[role] = WeightAverage(getattr(self, role))
                self.averages[role].load(store, f"average_{role}")

    def get_weights(self) -> list[np.ndarray]:
        """As `keras.Model.get_weights`; the list remembers the averaged weights, too, for `set_weights`."""
        return Weights(super().get_weights(), self.averages)

    def set_weights(self, weights: list[np.ndarray]) -> None:
        """As `keras.Model.set_weights`. Averaged weights, with which samples are made, become those of the list or go.

        So `EarlyStopping(restore_best_weights=True)` also brings back what the averages were then.
        """
        super().set_weights(weights)
        self.averages.clear()
        for role, kept in getattr(weights, "averages", {}).items():
            self.averages[role] = WeightAverage(getattr(self, role))
            self.averages[role].load(kept, role)

    @contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """A context in which the networks hold their averaged weights, where there are any."""
        with ExitStack() as stack:
            for average in self.averages.values():
                stack.enter_context(average.swapped())
            yield
