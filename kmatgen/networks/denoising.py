"""What denoisers have in common: their inputs, and the vector that tells every block the time and the condition."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from kmatgen.layers import TimeEmbedding
from kmatgen.networks.conditions import Conditions, as_one_vector, condition_inputs

Shapes = tuple[int, ...] | dict[str, tuple[int, ...]]


def denoiser_inputs(sample_shape: Shapes, condition: Conditions) -> dict[str, Any]:
    """The symbolic inputs of a denoiser.

    `sample` and `time`; `condition` where there is one; and `known`, 1 where the condition is to be heeded and 0
    elsewhere, unless a mask of sites, which is always heeded, is all that is given.
    """
    if isinstance(sample_shape, dict):
        sample: Any = {name: keras.Input(tuple(shape), name=name) for name, shape in sample_shape.items()}
    else:
        sample = keras.Input(tuple(sample_shape), name="sample")
    inputs = {"sample": sample, "time": keras.Input((), name="time")}
    given = condition_inputs(condition)
    if given is not None:
        inputs["condition"] = given
    if given is not None and not (isinstance(given, dict) and set(given) == {"mask"}):
        inputs["known"] = keras.Input((), name="known")
    return inputs


def modulation(inputs: dict[str, Any], condition: Conditions, width: int, more: tuple[Any, ...] = ()) -> Any:
    """The vector that tells every block the time, the condition, and whatever else concerns the whole sample."""
    told = [TimeEmbedding(64, name="time_embedding")(inputs["time"]), *more]
    given = inputs.get("condition")
    if isinstance(given, dict) and "mask" in given:
        told.append(given["mask"])
        given = {name: entry for name, entry in given.items() if name != "mask"}
        condition = {name: each for name, each in condition.items() if name != "mask"}
    if "known" in inputs:
        known = layers.Reshape((1,), name="known_column")(inputs["known"])
        heeded = layers.Multiply(name="heeded")([as_one_vector(given, condition), known])
        # What is disregarded is 0, and so might be what is asked for: the network is told which it is.
        told += [heeded, known]
    x = layers.Dense(width, activation="silu", name="modulation_in")(joined(told, "told"))
    return layers.Dense(width, activation="silu", name="modulation")(x)


def joined(tensors: list[Any], name: str) -> Any:
    """Tensors side by side, by a layer of that name where they are several."""
    return tensors[0] if len(tensors) == 1 else layers.Concatenate(name=name)(tensors)
