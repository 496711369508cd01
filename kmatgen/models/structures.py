"""Samples and conditions may be dicts of tensors, and networks say what they take: how to read both."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kmatgen.errors import InputError
from kmatgen.layers import ConditionalBatchNormalization


def number_of_classes(network: keras.Model) -> int | None:
    """How many classes a network's condition knows, or None where it is no class."""
    for layer in network.layers:
        if isinstance(layer, keras.layers.Embedding):
            return layer.input_dim
        if isinstance(layer, ConditionalBatchNormalization) and layer.classes:
            return layer.classes
    return None


def condition_of(inputs: Any, condition: Any) -> Any:
    """The condition that fake samples were made for."""
    return inputs["condition"] if isinstance(inputs, dict) else condition


def condition_spec_of(network: keras.Model) -> tf.TensorSpec | None:
    """Shape and type of the conditions that a network takes, or None."""
    if not isinstance(network.input, dict) or "condition" not in network.input:
        return None
    tensor = network.input["condition"]
    return tf.TensorSpec(tensor.shape, tensor.dtype, name="condition")


def check_rows(values: Any, spec: tf.TensorSpec, n: int) -> tf.Tensor:
    """The conditions of `n` samples as a tensor; one may stand for all, and a number for a vector of one entry.

    Raises:
        InputError: They are missing or do not fit the spec.
    """
    single = tuple(spec.shape[1:])
    if values is None:
        raise InputError(f"This model needs a condition of shape {single}. Received: None.")
    values = np.asarray(values)
    if single == (1,) and values.shape in ((), (n,)):
        values = values[..., None]
    if values.shape == single:
        values = np.broadcast_to(values, (n, *single))
    if values.shape != (n, *single) or not np.can_cast(values.dtype, spec.dtype.as_numpy_dtype, "same_kind"):
        raise InputError(
            f"A condition is {spec.dtype.name} of shape {single}, or {(n, *single)} with one for each sample. "
            f"Received: {values.dtype.name} of shape {values.shape}."
        )
    return tf.cast(values, spec.dtype)


def samples_and_conditions(data: Any) -> tuple[Any, Any]:
    """A batch of data as samples and conditions, None where there are none."""
    real, condition, _ = keras.utils.unpack_x_y_sample_weight(data)
    return real, condition


def part_of(inputs: Any, name: str) -> Any:
    """One input of a network that may take it alone."""
    return inputs[name] if isinstance(inputs, dict) and name in inputs else inputs


def rows_of(structure: Any, rows: slice) -> Any:
    """Some rows of every tensor."""
    return None if structure is None else keras.tree.map_structure(lambda tensor: tensor[rows], structure)


def length_of(structure: Any) -> tf.Tensor | int:
    """Number of rows: a number where it is known while tracing, else a tensor."""
    first = keras.tree.flatten(structure)[0]
    return first.shape[0] if first.shape[0] is not None else tf.shape(first)[0]
