"""Denoisers of plain vectors and of small dicts of them: an MLP that time and condition modulate."""

from __future__ import annotations

from math import prod
from typing import Any

import keras
from keras import layers

from kmatgen.errors import InputError
from kmatgen.layers import ModulatedNormalization
from kmatgen.networks.conditions import Conditions
from kmatgen.networks.denoising import Shapes, denoiser_inputs, joined, modulation


def film_mlp(
    sample_shape: Shapes, width: int = 256, blocks: int = 4, condition: Conditions = None, name: str = "film_mlp"
) -> keras.Model:
    """An MLP of residual blocks that denoises all fields of a sample together.

    For samples whose every number has a place of its own: crystals with the same number of sites in an order that
    means something, compositions, properties.

    Args:
        sample_shape: Shape of the sample, or of each field by name.
        width: Units of the blocks.
        blocks: Number of blocks.
        condition: See `kmatgen.networks.conditions`.
        name: Name of the model.

    Returns:
        A model of `{"sample", "time"}`, with a condition also `"condition"` and `"known"`, to what the sample is; in
        float32, and 0 before training.

    Raises:
        InputError: A width or a number of blocks that is not positive.
    """
    if width < 1 or blocks < 1:
        raise InputError(f"film_mlp has a width and blocks of at least 1. Received: width={width}, blocks={blocks}.")
    inputs = denoiser_inputs(sample_shape, condition)
    vector = modulation(inputs, condition, width)

    fields = keras.tree.flatten(inputs["sample"])
    x = joined([layers.Flatten(name=f"{field.name}_flat")(field) for field in fields], "fields")
    x = layers.Dense(width, name="dense")(x)
    for block in range(blocks):
        y = ModulatedNormalization(name=f"norm_{block}")(x, vector)
        y = layers.Dense(width, activation="silu", name=f"hidden_{block}")(y)
        y = layers.Dense(width, name=f"out_{block}")(y)
        x = layers.Add(name=f"add_{block}")([x, y])
    x = ModulatedNormalization(name="norm")(x, vector)

    outputs = [_head(x, field.shape[1:], field.name) for field in fields]
    return keras.Model(inputs, keras.tree.pack_sequence_as(inputs["sample"], outputs), name=name)


def _head(x: Any, shape: tuple[int, ...], name: str) -> Any:
    """A field's prediction, 0 before training."""
    flat = layers.Dense(prod(shape), kernel_initializer="zeros", dtype="float32", name=f"{name}_head")(x)
    return layers.Reshape(shape, dtype="float32", name=f"{name}_out")(flat)
