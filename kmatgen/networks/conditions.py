"""How a condition enters a network.

A builder's `condition` says what is given: `None`; `{"classes": 10}`, ids of shape `(batch,)`; `{"size": 3}`,
a property vector of shape `(batch, 3)`, best scaled to about unit variance. A network that takes one has the
inputs `{"noise", "condition"}` or `{"sample", "condition"}`, otherwise the noise or the sample alone.

A property vector may be given in its own units, with `"mean"` and `"scale"` beside its size, numbers or lists, by which
the network then standardises it.

Denoisers also take several at once, by name: `{"mask": {"size": 24}, "space_group": {"classes": 231}}`.
"""

from __future__ import annotations

from math import prod
from typing import Any

import keras
import numpy as np
from keras import layers

from kmatgen.errors import InputError, check_choice
from kmatgen.networks.parts import Modulation

Condition = dict[str, Any] | None
Conditions = Condition | dict[str, dict[str, Any]]

# Class ids are embedded in as many dimensions as there are classes, up to this many.
_LARGEST_EMBEDDING = 16


def condition_input(condition: Condition) -> Any:
    """The symbolic input named `condition`, or None.

    Raises:
        InputError: `condition` is not as the module says.
    """
    if condition is None:
        return None
    kinds = set(condition) - {"mean", "scale"} if isinstance(condition, dict) else set()
    well_formed = kinds == {"classes"} == set(condition) if "classes" in kinds else kinds == {"size"}
    if not well_formed or condition[kinds.pop()] < 1:
        raise InputError(
            'condition is None, {"classes": n} for class ids or {"size": n} for a property vector. '
            f"Received: {condition!r}."
        )
    if "classes" in condition:
        return keras.Input((), name="condition", dtype="int32")
    return keras.Input((condition["size"],), name="condition")


def condition_inputs(condition: Conditions) -> Any:
    """The symbolic input of one condition, the dict of those of several, or None."""
    if not _are_several(condition):
        return condition_input(condition)
    inputs = {}
    for name, each in condition.items():
        given = condition_input(each)
        inputs[name] = keras.Input(given.shape[1:], name=name, dtype=given.dtype)
    return inputs


def as_one_vector(given: Any, condition: Conditions) -> Any:
    """All of the condition as one vector; see `as_vector`."""
    if not _are_several(condition):
        return as_vector(given, condition)
    vectors = [as_vector(given[name], each, f"{name}_embedding") for name, each in condition.items()]
    return vectors[0] if len(vectors) == 1 else layers.Concatenate(name="conditions")(vectors)


def _are_several(condition: Conditions) -> bool:
    return (
        isinstance(condition, dict)
        and len(condition) > 0
        and all(isinstance(value, dict) for value in condition.values())
    )


def join_inputs(name: str, tensor: Any, given: Any) -> Any:
    """The inputs of a network: a tensor alone, or the dict of it and the condition."""
    return tensor if given is None else {name: tensor, "condition": given}


def as_vector(given: Any, condition: Condition, name: str = "embedding") -> Any:
    """The condition as a vector: class ids embedded, a property vector as it is."""
    if "size" in condition:
        mean, scale = np.asarray(condition.get("mean", 0.0)), np.asarray(condition.get("scale", 1.0))
        if not mean.any() and (scale == 1).all():
            return given
        options = {"dtype": "float32", "name": name.replace("embedding", "standardised")}
        return layers.Rescaling((1 / scale).tolist(), (-mean / scale).tolist(), **options)(given)
    classes = condition["classes"]
    # Of unit variance, as the noise and standardised properties are.
    normal = keras.initializers.RandomNormal(stddev=1.0)
    width = min(classes, _LARGEST_EMBEDDING)
    return layers.Embedding(classes, width, embeddings_initializer=normal, name=name)(given)


def enter_generator(noise: Any, given: Any, condition: Condition, conditioning: str) -> tuple[Any, Modulation]:
    """The vector a generator starts from, and what modulates its normalisations."""
    check_choice("conditioning", conditioning, ("concatenate", "conditional_normalization"))
    if conditioning == "conditional_normalization":
        _check_given(condition, conditioning)
        return noise, (given, condition.get("classes"))
    return (noise if given is None else _append(noise, as_vector(given, condition))), None


def enter_discriminator(sample: Any, given: Any, condition: Condition, conditioning: str) -> Any:
    """The sample, with the condition appended to it: to a vector as it is, to maps as constant channels."""
    check_choice("conditioning", conditioning, ("concatenate", "projection"))
    if conditioning == "projection":
        _check_given(condition, conditioning)
        return sample
    if given is None:
        return sample
    vector = as_vector(given, condition)
    sides = sample.shape[1:-1]
    if not sides:
        return _append(sample, vector)
    channels = layers.RepeatVector(prod(sides), name="condition_spread")(vector)
    return _append(sample, layers.Reshape((*sides, vector.shape[-1]), name="condition_maps")(channels))


def _append(x: Any, more: Any) -> Any:
    return layers.Concatenate(name="with_condition")([x, more])


def _check_given(condition: Condition, conditioning: str) -> None:
    if condition is None:
        raise InputError(f"conditioning={conditioning!r} needs a condition. Received: condition=None.")
