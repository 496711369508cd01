"""Conditions of the training data, kept with the model, so that samples can be drawn without asking for anything."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kmatgen.errors import InputError
from kmatgen.registry import register

ROWS = 4096


@register("layer")
class EmpiricalPrior(keras.layers.Layer):
    """Draws conditions from those of the training data, all entries of a row together.

    Numbers of atoms, site masks or properties of real crystals go with each other in a way that no simple formula
    has; here they are kept as weights, saved and exported with the model. Made by `EmpiricalPrior.of(conditions)`.

    Args:
        entries: For each entry of a condition, the shape of a row and its type: `{"mask": [[20], "float32"]}`.
        rows: Number of rows kept.
        **kwargs: As for any Keras layer.

    Raises:
        InputError: There is no row or no entry.
    """

    def __init__(self, entries: dict[str, list], rows: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "trainable": False})
        if rows < 1 or not entries:
            raise InputError(f"A prior keeps at least 1 row of 1 entry. Received: {rows} rows of {entries}.")
        self.entries = {name: [list(shape), str(dtype)] for name, (shape, dtype) in entries.items()}
        self.rows = rows
        self.kept = {
            name: self.add_weight(
                shape=(rows, *shape), dtype=dtype, initializer="zeros", trainable=False, name=f"rows_{name}"
            )
            for name, (shape, dtype) in self.entries.items()
        }
        self.built = True

    @classmethod
    def of(cls, conditions: dict[str, np.ndarray], rows: int = ROWS, seed: int = 0) -> EmpiricalPrior:
        """Keep rows of these conditions: all, or as many as `rows`, drawn without replacement.

        Args:
            conditions: Arrays by entry with equal first axes.
            rows: Largest number of rows to keep.
            seed: Seed of the choice.

        Raises:
            InputError: Lengths differ, or there is nothing to keep.
        """
        arrays = {name: np.asarray(values) for name, values in conditions.items()}
        lengths = {len(values) for values in arrays.values()}
        if len(lengths) != 1 or 0 in lengths:
            raise InputError(f"Entries of a condition have the same number of rows. Received: {sorted(lengths)}.")
        (n,) = lengths
        chosen = np.sort(np.random.default_rng(seed).choice(n, min(n, rows), replace=False))
        entries = {name: [values.shape[1:], _kept_type(values)] for name, values in arrays.items()}
        prior = cls(entries, len(chosen))
        for name, values in arrays.items():
            prior.kept[name].assign(values[chosen])
        return prior

    def draw(self, n: tf.Tensor | int, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """`n` rows, drawn with replacement; the same for the same seed `(2,)`."""
        chosen = tf.random.stateless_uniform([n], seed, 0, self.rows, tf.int32)
        return {name: tf.gather(weight.value, chosen) for name, weight in self.kept.items()}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "entries": self.entries, "rows": self.rows}


def _kept_type(values: np.ndarray) -> str:
    return "int32" if np.issubdtype(values.dtype, np.integer) else "float32"
