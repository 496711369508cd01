"""Samples and conditions may be dicts of tensors, and networks say what they take: how to read both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kmatgen.errors import InputError
from kmatgen.layers import ConditionalBatchNormalization


def known_classes(network: keras.Model) -> int | None:
    """How many classes a network may be asked for, or None where its condition is no class or more than that."""
    if not isinstance(condition_spec_of(network), tf.TensorSpec):
        return None
    counts = _classes_looked_up(network, network.input["condition"])
    return min(counts) if counts else None


def _classes_looked_up(network: keras.Model, tensor: keras.KerasTensor) -> list[int]:
    """In how many classes each layer that reads a symbolic tensor looks it up, those of nested models too."""
    counts = []
    for operation in network.operations:
        places = [
            place
            for node in operation._inbound_nodes  # what else an operation is called on stands nowhere else
            for place, given in enumerate(node.input_tensors)
            if given is tensor
        ]
        if not places:
            continue
        if isinstance(operation, keras.layers.Embedding):
            counts.append(operation.input_dim)
        elif isinstance(operation, ConditionalBatchNormalization) and operation.classes:
            counts.append(operation.classes)
        elif isinstance(operation, keras.Model) and hasattr(operation, "inputs"):
            inner = getattr(operation, "_functional", operation)  # of a Sequential
            counts += [count for place in places for count in _classes_looked_up(inner, inner.inputs[place])]
    return counts


def check_class_range(condition: Any, classes: int, who: str = "This model") -> None:
    """Refuse class ids that are not from 0 to one less than the number of classes."""
    values = _as_numbers("condition", condition)
    if values.size and not (values.min() >= 0 and values.max() < classes):
        raise InputError(f"{who} knows the classes 0 to {classes - 1}. Received: {values.min()} to {values.max()}.")


def condition_of(inputs: Any, condition: Any) -> Any:
    """The condition that fake samples were made for."""
    return inputs["condition"] if isinstance(inputs, dict) else condition


def condition_spec_of(network: keras.Model) -> Any:
    """Shapes and types of the conditions that a network takes, or None."""
    if not isinstance(network.input, dict) or "condition" not in network.input:
        return None
    return specs_of(network.input["condition"], "condition")


def fed(network: keras.Model, name: str, value: Any, condition: Any) -> Any:
    """What a network is called with: the value, and where it takes a condition those entries of it that it wants.

    Args:
        network: Takes the value alone, or a dict of it and `"condition"`.
        name: What the network calls the value in such a dict.
        value: A tensor or a dict of tensors.
        condition: Of the same batch; it may have entries that the network does not take.
    """
    inputs = network.input
    if not (isinstance(inputs, dict) and set(inputs) == {name, "condition"}):
        return value
    return {name: value, "condition": entries_of(condition, inputs["condition"])}


def entries_of(condition: Any, wanted: Any) -> Any:
    """Those entries of a condition that are wanted, where it has entries."""
    return {entry: condition[entry] for entry in wanted} if isinstance(wanted, dict) else condition


def shapes_of(structure: Any) -> Any:
    """The shapes of a tensor or of a dict of tensors, the batch axis included."""
    return keras.tree.map_structure(lambda tensor: tuple(tensor.shape), structure)


def specs_of(tensors: Any, name: str) -> Any:
    """The `tf.TensorSpec` of a symbolic tensor, under this name; of a dict of tensors, each under its key."""
    if isinstance(tensors, dict):
        return {key: specs_of(tensor, key) for key, tensor in tensors.items()}
    return tf.TensorSpec(tensors.shape, tensors.dtype, name=name)


def check_rows(values: Any, spec: tf.TensorSpec, n: int) -> tf.Tensor:
    """The conditions of `n` samples, or one entry of them, as a tensor.

    One row may stand for all, and a number for a vector of one entry.

    Raises:
        InputError: They are missing or do not fit the spec.
    """
    single = tuple(spec.shape[1:])
    what = "condition" if spec.name in ("condition", None) else f"condition {spec.name!r}"
    if values is None:
        wanted = f"of shape {single}" if single else "that is one number, or one for each sample"
        raise InputError(f"This model needs a {what} {wanted}. Received: None.")
    values = _as_numbers(what, values)
    if single == (1,) and values.shape in ((), (n,)):
        values = values[..., None]
    if values.shape == single:
        values = np.broadcast_to(values, (n, *single))
    if values.shape != (n, *single) or not np.can_cast(values.dtype, spec.dtype.as_numpy_dtype, "same_kind"):
        raise InputError(
            f"A {what} is {spec.dtype.name} of shape {single}, or {(n, *single)} with one for each sample. "
            f"Received: {values.dtype.name} of shape {values.shape}."
        )
    if not np.isfinite(values).all():
        raise InputError(f"A {what} is made of finite numbers. Received: {values[~np.isfinite(values)][0]}.")
    return tf.cast(values, spec.dtype)


def checked_condition(condition: Any, spec: Any, n: int) -> Any:
    """The conditions of `n` samples, all entries of them, as tensors.

    Raises:
        InputError: They are missing or do not fit the spec.
    """
    if not isinstance(spec, dict):
        return check_rows(condition, spec, n)
    if not isinstance(condition, dict) or set(condition) != set(spec):
        received = ", ".join(sorted(condition)) if isinstance(condition, dict) else repr(condition)
        raise InputError(f"A condition of {', '.join(sorted(spec))} is wanted. Received: {received}.")
    return {name: check_rows(condition[name], entry, n) for name, entry in spec.items()}


def _as_numbers(what: str, values: Any) -> np.ndarray:
    try:
        array = np.asarray(values)
    except ValueError:  # rows of different lengths
        array = np.empty((), object)
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"A {what} is a number, or an array of numbers with one row for each sample. Received: {values!r}."
        )
    return array


def checked_arrays(values: Any, spec: Any) -> Any:
    """Arrays in the types that are wanted, once they are what is wanted.

    Args:
        values: An array, or a dict of them with equal first axes.
        spec: A `tf.TensorSpec` that names what it is, or a dict of these.

    Raises:
        InputError: They are not.
    """
    if isinstance(spec, dict):
        if not isinstance(values, dict) or set(values) != set(spec):
            received = ", ".join(sorted(values)) if isinstance(values, dict) else "one array"
            raise InputError(f"This model takes samples of {', '.join(spec)}. Received: {received}.")
        rows = {name: checked_arrays(values[name], each) for name, each in spec.items()}
        if len({len(each) for each in rows.values()}) > 1:
            counts = {name: len(each) for name, each in rows.items()}
            raise InputError(f"Fields of samples have the same number of rows. Received: {counts}.")
        return rows
    array = floats_of(f"{spec.name}s", values) if spec.dtype.is_floating else np.asarray(values, spec.dtype.name)
    if not spec.shape.is_compatible_with(array.shape):
        raise InputError(f"This model takes {spec.name}s of shape {spec.shape}. Received: {array.shape}.")
    if not np.isfinite(array).all():
        raise InputError(f"This model takes {spec.name}s of finite numbers. Received: {array[~np.isfinite(array)][0]}.")
    return array


def floats_of(what: str, values: Any) -> np.ndarray:
    """An array as float32.

    Raises:
        InputError: It holds whole numbers, as images from 0 to 255, which are not on the scale of any network, or none.
    """
    array = np.asarray(values)
    if array.dtype.kind != "f" and array.dtype.name != "bfloat16":
        raise InputError(
            f"This model takes arrays of {what} in floats on the scale of its training, such as images from 0 to 1. "
            f"Received: {type(values).__name__} of {array.dtype.name}."
        )
    return array.astype(np.float32)


def check_count(n: Any) -> int:
    """A number of samples to draw, or an error that says what one is."""
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise InputError(f"generate draws a whole number of samples, at least 1. Received: n={n!r}.")
    return int(n)


def check_seed(seed: Any) -> int:
    """A seed of samples, drawn where it is None, or an error that says what one is."""
    if seed is None:
        return int(np.random.default_rng().integers(2**31))
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not -(2**31) <= seed < 2**31:
        raise InputError(f"A seed is a whole number from {-(2**31)} to {2**31 - 1}, or None. Received: {seed!r}.")
    return int(seed)


def check_batch_size(batch_size: Any) -> int:
    """A number of samples to compute at a time, or an error that says what one is."""
    if isinstance(batch_size, bool) or not isinstance(batch_size, int | np.integer) or batch_size < 1:
        raise InputError(f"batch_size is a whole number of at least 1. Received: {batch_size!r}.")
    return int(batch_size)


def stacked(data: Sequence[Any]) -> Any:
    """Data of one kind, each without a batch axis, as the rows of one batch.

    Raises:
        InputError: Their fields or shapes differ.
    """
    kinds = [keras.tree.map_structure(np.shape, datum) for datum in data]
    if any(kind != kinds[0] for kind in kinds):
        raise InputError(f"Data to go between have one shape. Received: {' and '.join(map(str, kinds))}.")
    return keras.tree.map_structure(lambda *values: np.stack(values), *data)


def samples_and_conditions(data: Any) -> tuple[Any, Any]:
    """A batch of data as samples and conditions, None where there are none.

    Raises:
        InputError: It brings weights of samples, which no loss heeds.
    """
    real, condition, weights = keras.utils.unpack_x_y_sample_weight(data)
    check_no_weights(weights)
    return real, condition


def check_no_weights(*weights: Any) -> None:
    """Refuse weights of samples or of classes, which no loss heeds."""
    given = [each for each in weights if each is not None]
    if given:
        raise InputError(
            "All samples count alike here; give those that are to count more several times, and leave sample_weight "
            f"and class_weight out. Received: weights in a {type(given[0]).__name__}."
        )


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


def as_fields(sample: Any) -> dict[str, Any]:
    """A sample as a dict of tensors by field: a tensor is the only field, `"sample"`."""
    return sample if isinstance(sample, dict) else {"sample": sample}
