"""What a step of training is given, checked: while it is traced, and where sizes are not known then while it runs."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from kmatgen.errors import InputError
from kmatgen.models.requirements import require
from kmatgen.models.structures import as_fields, condition_spec_of, entries_of, known_classes


def checked_samples(samples: Any, wanted: Any) -> Any:
    """The samples of a batch in the type that a network takes, once they are what it takes.

    Args:
        samples: A tensor or a dict of tensors.
        wanted: The network's symbolic input of the same structure.

    Raises:
        InputError: They have other fields or shapes, are whole numbers, or, when the step runs, are not finite.
    """
    fields = _checked_shapes("Samples", samples, wanted)
    for name, tensor in fields.items():
        kind = tf.as_dtype(as_fields(wanted)[name].dtype)
        if kind.is_floating and not tensor.dtype.is_floating:
            raise InputError(
                f"Samples are {kind.name} on the scale that the networks work on, such as images from 0 to 1. "
                f"Received: {tensor.dtype.name}."
            )
        fields[name] = tf.cast(tensor, kind)
        if kind.is_floating:
            finite = tf.reduce_all(tf.math.is_finite(fields[name]))
            fields[name] = require(finite, "Samples are finite numbers. Received: NaN or infinity", of=fields[name])
    return fields if isinstance(samples, dict) else fields["sample"]


def checked_conditions(told: Any, *networks: keras.Model) -> Any:
    """What data tell of a batch, once the conditions among it are what networks take.

    Args:
        told: The conditions, or a dict of their entries and perhaps of more; None where there is nothing.
        networks: Those that may take a condition.

    Raises:
        InputError: They have other shapes, or, when the step runs, are not finite or no classes that a network knows.
    """
    for network in networks:
        if told is None or condition_spec_of(network) is None:
            continue
        wanted = network.input["condition"]
        fields = _checked_shapes("Conditions", entries_of(told, wanted), wanted)
        fields = {name: _as_numbers_of(as_fields(wanted)[name], tensor) for name, tensor in fields.items()}
        told = {**told, **fields} if isinstance(wanted, dict) else _with_known_classes(network, fields["sample"])
    return told


def _as_numbers_of(wanted: keras.KerasTensor, condition: tf.Tensor) -> tf.Tensor:
    """An entry of the conditions, once its numbers are of the kind that a network takes; which casts them then."""
    if not condition.dtype.is_floating:
        return tf.cast(condition, tf.int32) if condition.dtype.is_bool else condition
    if tf.as_dtype(wanted.dtype).is_floating:
        sentence = "Conditions are finite numbers. Received: NaN or infinity"
        return require(tf.reduce_all(tf.math.is_finite(condition)), sentence, of=condition)
    whole = tf.reduce_all(tf.equal(condition, tf.round(condition)))
    return require(whole, "Classes are whole numbers. Received: numbers between them, or NaN", of=condition)


def _with_known_classes(network: keras.Model, condition: tf.Tensor) -> tf.Tensor:
    classes = known_classes(network)
    if classes is None:
        return condition
    least, most = tf.reduce_min(condition), tf.reduce_max(condition)
    known = tf.logical_and(least >= 0, most < tf.cast(classes, most.dtype))
    sentence = f"This {network.name} knows the classes 0 to {classes - 1}. Received:"
    return require(known, sentence, least, "to", most, of=condition)


def _checked_shapes(what: str, given: Any, wanted: Any) -> dict[str, tf.Tensor]:
    """The tensors by field, with the shapes that are wanted."""
    if isinstance(given, list | tuple):
        raise InputError(
            f"{what} come as one array, not as several; numpy.stack makes one of them. Received: {len(given)} arrays."
        )
    fields, fits = as_fields(given), as_fields(wanted)
    as_wanted = set(fields) == set(fits) and all(
        tensor.shape.is_compatible_with(fits[name].shape) for name, tensor in fields.items()
    )
    if not as_wanted:
        raise InputError(f"{what} of shape {_shapes(wanted)} are wanted, batch axis aside. Received: {_shapes(given)}.")
    return {name: _with_shape(what, tensor, fits[name].shape) for name, tensor in fields.items()}


def _with_shape(what: str, tensor: tf.Tensor, wanted: tuple[int | None, ...]) -> tf.Tensor:
    """The tensor, of which the step is told the shape; it stops if that turns out to be another."""
    if tensor.shape.rank is not None and all(
        size is not None or any_size is None for size, any_size in zip(tensor.shape[1:], wanted[1:], strict=True)
    ):
        return tensor
    # As text, since even the number of axes may be another; `set_shape` alone would not look.
    found = tf.strings.reduce_join(tf.as_string(tf.shape(tensor)[1:]), separator=", ")
    pattern = ", ".join(r"\d+" if size is None else str(size) for size in wanted[1:])
    sentence = f"{what} of shape {tuple(wanted[1:])} are wanted, batch axis aside. Received:"
    received = tf.strings.join(["(", found, ")"])
    tensor = require(tf.strings.regex_full_match(found, pattern), sentence, received, of=tensor)
    tensor.set_shape(wanted)
    return tensor


def _shapes(structure: Any) -> Any:
    return keras.tree.map_structure(
        lambda tensor: None if tensor.shape is None or tf.TensorShape(tensor.shape).rank is None else
        tuple(tensor.shape)[1:], structure
    )  # fmt: skip
