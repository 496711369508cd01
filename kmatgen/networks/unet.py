"""The U-Net of diffusion models, for 1, 2 and 3 dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import Any

import keras
from keras import layers

from kmatgen.errors import InputError
from kmatgen.layers import GroupNormalization, SiLU, TimeEmbedding
from kmatgen.networks.conditions import Conditions, as_one_vector
from kmatgen.networks.denoising import denoiser_inputs
from kmatgen.networks.parts import Maps, check_sizes

_initializer = partial(keras.initializers.VarianceScaling, scale=2.0, mode="fan_in", distribution="untruncated_normal")


def unet(
    sample_shape: Sequence[int],
    filters: Sequence[int] = (32, 64, 128),
    blocks: int = 1,
    patch: int = 1,
    attention: bool = True,
    embedding: int = 128,
    condition: Conditions = None,
    periodic: bool = False,
    name: str = "denoiser",
) -> keras.Model:
    """Noisy sample and time to what is to be predicted: residual blocks down to coarse maps and up again.

    Args:
        sample_shape: 1 to 3 sides and the channels. Sides are multiples of `patch * 2 ** (len(filters) - 1)`.
        filters: Of each level, from fine to coarse; each level halves the sides of the one before.
        blocks: Residual blocks of each level, on the way down and on the way up.
        patch: Side of the patches that the first convolution puts into one point: 2 makes everything about four times
            as fast in two dimensions, and sees single points less well.
        attention: Self-attention between the points of the coarsest maps.
        embedding: Size of the embedding of time and condition.
        condition: What samples are generated for, see `kmatgen.networks.conditions`.
        periodic: Continue maps periodically at their borders; then samples tile space without seams.
        name: Name of the network.

    Returns:
        A functional model from `{"sample": (batch, *sample_shape), "time": (batch,)}`, with a condition also
        `"condition"` and `"known": (batch,)`, to `(batch, *sample_shape)` in float32, 0 before training.

    Raises:
        InputError: The sides cannot be halved as often, or a number is below 1.

    Source: Ho, Jain and Abbeel 2020, appendix B; modulation as in Perez et al. 2018 (FiLM).
    """
    _check(sample_shape, filters, blocks, patch)
    maps = Maps(len(sample_shape) - 1, _initializer, periodic)
    inputs = denoiser_inputs(sample_shape, condition)
    vector = _told(inputs, condition, embedding)

    x = maps.conv(inputs["sample"], filters[0], max(3, patch), strides=patch, name="stem")
    skips = []
    for level, count in enumerate(filters):
        x = maps.halve(x, f"down_{level}_pool") if level else x
        for block in range(blocks):
            x = _block(maps, x, vector, count, f"down_{level}_{block}")
            skips.append(x)
    if attention:
        x = _attend(x, "attention")
    x = _block(maps, x, vector, filters[-1], "middle")
    for level, count in reversed(list(enumerate(filters))):
        for block in range(blocks):
            x = layers.Concatenate(name=f"up_{level}_{block}_join")([x, skips.pop()])
            x = _block(maps, x, vector, count, f"up_{level}_{block}")
        x = maps.double(x, f"up_{level}_double") if level else x
    return keras.Model(inputs, _prediction(maps, x, sample_shape, patch), name=name)


def _told(inputs: dict[str, Any], condition: Conditions, size: int) -> Any:
    """The vector that tells every block the time and the condition."""
    vector = TimeEmbedding(size, name="time_features")(inputs["time"])
    vector = layers.Dense(size, activation="silu", name="time_dense")(vector)
    if "known" in inputs:
        asked = layers.Dense(size, name="condition_dense")(as_one_vector(inputs["condition"], condition))
        known = layers.Reshape((1,), name="known_column")(inputs["known"])
        vector = layers.Add(name="with_condition")([vector, layers.Multiply(name="heeded")([asked, known])])
    return layers.Activation("silu", name="vector")(layers.Dense(size, name="vector_dense")(vector))


def _block(maps: Maps, x: Any, vector: Any, count: int, name: str) -> Any:
    """x, mixed where channels change, plus two convolutions of normalised and modulated x."""
    shortcut = x if x.shape[-1] == count else maps.conv(x, count, 1, name=f"{name}_shortcut")
    x = SiLU(name=f"{name}_silu_0")(_normalise(x, f"{name}_norm_0"))
    x = maps.conv(x, count, 3, name=f"{name}_conv_0")
    x = SiLU(name=f"{name}_silu_1")(_normalise(x, f"{name}_norm_1", vector))
    x = maps.conv(x, count, 3, kernel_initializer="zeros", name=f"{name}_conv_1")
    return layers.Add(name=f"{name}_sum")([shortcut, x])


def _normalise(x: Any, name: str, *vector: Any) -> Any:
    channels = x.shape[-1]
    groups = next(count for count in (8, 4, 2, 1) if channels % count == 0)
    return GroupNormalization(groups, name=name)(x, *vector)


def _attend(x: Any, name: str) -> Any:
    sides, channels = x.shape[1:-1], x.shape[-1]
    points = layers.Reshape((prod(sides), channels), name=f"{name}_points")(_normalise(x, f"{name}_norm"))
    heads = next(count for count in (4, 2, 1) if channels % count == 0)
    mixed = layers.MultiHeadAttention(heads, channels // heads, name=name)(points, points)
    mixed = layers.Reshape((*sides, channels), name=f"{name}_maps")(mixed)
    return layers.Add(name=f"{name}_sum")([x, mixed])


def _prediction(maps: Maps, x: Any, sample_shape: Sequence[int], patch: int) -> Any:
    """The finest maps to a sample, 0 before training."""
    x = SiLU(name="last_silu")(_normalise(x, "last_norm"))
    # A point per patch, spread out again by the last convolution's channels.
    last = {"kernel_initializer": "zeros", "dtype": "float32"}
    x = maps.conv(x, sample_shape[-1] * patch**maps.dimensions, 3, name="prediction", **last)
    return _unfold(x, sample_shape, patch)


def _unfold(x: Any, sample_shape: Sequence[int], patch: int) -> Any:
    """Points with the channels of a whole patch to the points of the patches."""
    if patch == 1:
        return x
    *sides, channels = sample_shape
    count = len(sides)
    coarse = [side // patch for side in sides]
    x = layers.Reshape((*coarse, *[patch] * count, channels), dtype="float32", name="patches")(x)
    order = [axis for side in range(count) for axis in (1 + side, 1 + count + side)]
    x = layers.Permute((*order, 2 * count + 1), dtype="float32", name="patches_in_place")(x)
    return layers.Reshape(tuple(sample_shape), dtype="float32", name="unfolded")(x)


def _check(sample_shape: Sequence[int], filters: Sequence[int], blocks: int, patch: int) -> None:
    check_sizes(sample_shape)
    *sides, channels = sample_shape
    if not filters or min(*filters, blocks, patch, channels) < 1:
        raise InputError(
            "filters holds a positive number for each level, and blocks, patch and channels are positive. "
            f"Received: {tuple(filters)}, {blocks}, {patch}, {channels}."
        )
    factor = patch * 2 ** (len(filters) - 1)
    if not 1 <= len(sides) <= 3 or any(side % factor or side < factor for side in sides):
        raise InputError(
            f"A U-Net of {len(filters)} levels with patch={patch} needs 1 to 3 sides that are multiples of {factor}. "
            f"Received: {tuple(sample_shape)}."
        )
