"""Properties that latent points are to tell: their checks, their loss, and how far predictions are from a wish."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kmatgen.errors import InputError

# By name of the property, the mean and the scale by which it is standardised.
Scales = dict[str, dict[str, float]]


def check_properties(
    head: keras.Model | None, properties: Mapping[str, Mapping[str, Any]] | None, latent_dim: int, taken: set[str]
) -> Scales:
    """Mean and scale of every property that a head predicts; nothing without a head.

    Args:
        head: Latent points to a dict of `(batch, 1)`.
        properties: Those that are not 0 and 1, by name.
        latent_dim: Size of a latent point.
        taken: Names that mean something else.

    Raises:
        InputError: The head does not fit, or a scale is not positive.
    """
    if head is None:
        if properties:
            raise InputError(f"properties need a property_head. Received: {', '.join(properties)} without one.")
        return {}
    outputs = head.output if isinstance(head.output, dict) else {}
    shapes = {name: tuple(tensor.shape) for name, tensor in outputs.items()}
    if set(shapes.values()) != {(None, 1)} or tuple(head.input.shape) != (None, latent_dim):
        raise InputError(
            f"A property_head takes latent points {(None, latent_dim)} and gives a dict of {(None, 1)} by name. "
            f"Received: {tuple(head.input.shape)} to {shapes or 'one output'}."
        )
    given = properties or {}
    if set(given) - set(shapes) or taken & set(shapes):
        name = min((set(given) - set(shapes)) | (taken & set(shapes)))
        raise InputError(
            f"Properties are what the property_head gives, {', '.join(shapes)}, and no entries of the condition. "
            f"Received: {name!r}."
        )
    scales = {
        name: {"mean": float(given.get(name, {}).get("mean", 0.0)), "scale": float(given.get(name, {}).get("scale", 1))}
        for name in shapes
    }
    if any(not of["scale"] > 0 for of in scales.values()):
        raise InputError(f"The scale of a property is positive. Received: {scales}.")
    return scales


def property_loss(predicted: Mapping[str, tf.Tensor], told: Mapping[str, tf.Tensor], scales: Scales) -> tf.Tensor:
    """Mean squared error of standardised properties, over those samples of which they are known.

    Args:
        predicted: Standardised predictions `(batch, 1)` by name.
        told: Properties of the data in their own units, NaN where they are not known.
        scales: By name.
    """
    losses = []
    for name, of in scales.items():
        wanted = (tf.cast(told[name], tf.float32) - of["mean"]) / of["scale"]
        known = tf.math.is_finite(wanted)
        error = tf.where(known, tf.cast(predicted[name], tf.float32) - wanted, 0.0)
        losses.append(tf.reduce_sum(tf.square(error)) / tf.maximum(tf.reduce_sum(tf.cast(known, tf.float32)), 1.0))
    return tf.add_n(losses) / len(losses)


def check_asked(properties: Mapping[str, Any], scales: Scales, n: int) -> dict[str, np.ndarray]:
    """Values that are asked for, `(n,)` by name.

    Raises:
        InputError: The model does not predict them, or they are no numbers, one for all or one for each sample.
    """
    unknown = sorted(set(properties) - set(scales))
    if unknown or not scales:
        raise InputError(
            f"This model predicts the properties {', '.join(scales) or 'none, it has no property head'}. "
            f"Received: {', '.join(unknown) or 'a question for them'}."
        )
    asked = {}
    for name, value in properties.items():
        values = np.asarray(value, np.float64)
        values = values[:, 0] if values.shape == (n, 1) else values
        if values.shape not in ((), (n,)) or not np.isfinite(values).all():
            raise InputError(f"{name} is a number, or {n} of them with one for each sample. Received: {value!r}.")
        asked[name] = np.broadcast_to(values, (n,))
    return asked


def distances(predicted: Mapping[str, np.ndarray], asked: Mapping[str, np.ndarray], scales: Scales) -> np.ndarray:
    """How far predictions are from what is asked, squared and standardised.

    Args:
        predicted: `(n * candidates, 1)` by name, the candidates for a sample next to each other.
        asked: `(n,)` by name.
        scales: By name.
    """
    total = np.zeros(len(next(iter(predicted.values()))))
    for name, values in asked.items():
        wanted = np.repeat(values, len(total) // len(values))
        total += ((predicted[name][:, 0] - wanted) / scales[name]["scale"]) ** 2
    return total
