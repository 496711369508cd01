"""Keras' own ways to train, evaluate and predict, as generative models need them."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

import keras

from kmatgen.models.progress import with_progress
from kmatgen.models.requirements import explained
from kmatgen.models.structures import check_no_weights


class StockMethods:
    """What a user knows of `keras.Model`: the same methods, which refuse what would be left out without a word."""

    # The variables that the present training function changes.
    _traced_for: tuple[int, ...] = ()

    def fit(self, *arguments: Any, **options: Any) -> keras.callbacks.History:
        """As `keras.Model.fit`; a `tf.data.Dataset` or a generator is taken as shuffled by its own pipeline."""
        given = _bound(super().fit, arguments, options)
        if not _can_be_shuffled(given.get("x")):
            given.setdefault("shuffle", False)
        with explained():
            return super().fit(**with_progress(given))

    def evaluate(self, *arguments: Any, **options: Any) -> Any:
        """As `keras.Model.evaluate`."""
        with explained():
            return super().evaluate(**with_progress(_bound(super().evaluate, arguments, options)))

    def predict(self, *arguments: Any, **options: Any) -> Any:
        """As `keras.Model.predict`."""
        with explained():
            return super().predict(*arguments, **options)

    def train_on_batch(self, *arguments: Any, **options: Any) -> Any:
        """As `keras.Model.train_on_batch`."""
        with explained():
            return super().train_on_batch(**_bound(super().train_on_batch, arguments, options))

    def test_on_batch(self, *arguments: Any, **options: Any) -> Any:
        """As `keras.Model.test_on_batch`."""
        with explained():
            return super().test_on_batch(**_bound(super().test_on_batch, arguments, options))

    def make_train_function(self, force: bool = False) -> None:
        """As `keras.Model.make_train_function`; anew where layers were frozen since the last training."""
        present = tuple(id(variable) for variable in self.trainable_variables)
        super().make_train_function(force or present != self._traced_for)
        self._traced_for = present

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Everything is built. Under a strategy, Keras would begin a pass over the data here and throw it away.

        An epoch of `kmatgen.data.batches` would be lost by that, and replicas would see another order than one device.
        """


def _can_be_shuffled(x: Any) -> bool:
    """Whether Keras can shuffle data: arrays and tensors, alone or in dicts and the like, and a finite `PyDataset`."""
    if isinstance(x, keras.utils.PyDataset):
        return x.num_batches is not None
    return x is not None and all(hasattr(part, "shape") for part in keras.tree.flatten(x))


def _bound(method: Callable, arguments: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any]:
    """What a method of Keras is given, by name.

    Raises:
        InputError: There are weights of samples among it, which Keras drops where there is no `y`.
    """
    bound = signature(method).bind(*arguments, **options).arguments
    # Keras' own `fit` calls `evaluate` with an option that has no name in the signature.
    given = {**bound.pop("kwargs", {}), **bound}
    check_no_weights(*(given.get(name) for name in ("sample_weight", "class_weight")))
    return given
