"""Networks of crystals as their source tells them: the denoiser that suits them, a generator and a critic."""

from __future__ import annotations

from math import prod
from typing import Any

import keras
from keras import layers

from kmatgen.errors import InputError
from kmatgen.layers import LayerNormalization
from kmatgen.networks.conditions import Conditions, as_one_vector, condition_inputs, join_inputs
from kmatgen.networks.film import film_mlp
from kmatgen.networks.sets import site_transformer


def crystal_denoiser(
    sample_shape: dict[str, tuple[int, ...]],
    width: int | None = None,
    blocks: int = 4,
    period: float = 4.0,
    cell: Any = None,
    condition: Conditions = None,
    name: str = "denoiser",
) -> keras.Model:
    """`film_mlp` for fields that are vectors, `site_transformer` for coordinates `(sites, 3)`.

    Args:
        sample_shape: Shape of each field by name.
        width: Units of a block, or channels of a site. `None`: 256 and 96.
        blocks: Number of blocks.
        period: Length of a cell edge in the scale of `coords`, for sets of sites.
        cell: What the lattice of sets of sites means, see `site_transformer`.
        condition: See `kmatgen.networks.conditions`.
        name: Name of the network.

    Raises:
        InputError: The samples have no coordinates: they are no crystals.
    """
    check_crystals(sample_shape)
    if len(sample_shape["coords"]) == 2:
        width = width or 96
        # About 16 channels a head.
        heads = max(count for count in range(1, 2 + width // 16) if width % count == 0)
        return site_transformer(
            sample_shape, width, blocks, heads, period=period, cell=cell, condition=condition, name=name
        )
    return film_mlp(sample_shape, width or 256, blocks, condition=condition, name=name)


def crystal_generator(
    sample_shape: dict[str, tuple[int, ...]],
    latent_dim: int = 128,
    width: int = 256,
    blocks: int = 3,
    condition: Conditions = None,
    name: str = "generator",
) -> keras.Model:
    """A residual MLP from noise, and a condition where there is one, to the fields of a crystal.

    Sites of a set come in their canonical order; where the condition has a `mask`, fields are 0 beside it.

    Args:
        sample_shape: Shape of each field by name.
        latent_dim: Size of the noise.
        width: Units of a block.
        blocks: Number of blocks.
        condition: See `kmatgen.networks.conditions`.
        name: Name of the network.

    Raises:
        InputError: The samples have no coordinates.
    """
    check_crystals(sample_shape)
    noise, given = keras.Input((latent_dim,), name="noise"), condition_inputs(condition)
    start = noise if given is None else layers.Concatenate(name="start")([noise, as_one_vector(given, condition)])
    x = residual_blocks(layers.Dense(width, name="dense")(start), width, blocks, None)
    outputs = {
        field: where_there_are_sites(dense_field(x, field, shape), given, field)
        for field, shape in sample_shape.items()
    }
    return keras.Model(join_inputs("noise", noise, given), outputs, name=name)


def crystal_critic(
    sample_shape: dict[str, tuple[int, ...]],
    width: int = 256,
    blocks: int = 3,
    condition: Conditions = None,
    name: str = "critic",
) -> keras.Model:
    """A residual MLP with layer normalisation from the fields of a crystal, and a condition, to a score.

    Arguments as for `crystal_generator`. Smooth throughout, as a gradient penalty needs it.
    """
    check_crystals(sample_shape)
    sample = {field: keras.Input(shape, name=field) for field, shape in sample_shape.items()}
    given = condition_inputs(condition)
    told = [layers.Flatten(name=f"{field}_flat")(tensor) for field, tensor in sample.items()]
    told += [] if given is None else [as_one_vector(given, condition)]
    x = layers.Dense(width, name="dense")(layers.Concatenate(name="told")(told) if len(told) > 1 else told[0])
    x = residual_blocks(x, width, blocks, LayerNormalization)
    score = layers.Dense(1, dtype="float32", name="score")(x)
    return keras.Model(sample if given is None else {"sample": sample, "condition": given}, score, name=name)


def residual_blocks(x: Any, width: int, blocks: int, normalization: type[layers.Layer] | None) -> Any:
    """So many pairs of dense layers, each added to what comes in, and a last activation."""
    for block in range(blocks):
        y = x if normalization is None else normalization(name=f"norm_{block}")(x)
        y = layers.Dense(width, activation="silu", name=f"hidden_{block}")(y)
        x = layers.Add(name=f"add_{block}")([x, layers.Dense(width, name=f"out_{block}")(y)])
    return layers.Activation("silu", name="activation")(x)


def dense_field(x: Any, field: str, shape: tuple[int, ...]) -> Any:
    """A field of this shape from one vector, float32."""
    flat = layers.Dense(prod(shape), dtype="float32", name=f"{field}_head")(x)
    return layers.Reshape(shape, dtype="float32", name=f"{field}_out")(flat)


def where_there_are_sites(tensor: Any, given: Any, field: str) -> Any:
    """A field that is 0 beside the mask, if it is one of sites and there is a mask."""
    if not (isinstance(given, dict) and "mask" in given and len(tensor.shape) == 3):
        return tensor
    column = layers.Reshape((tensor.shape[1], 1), dtype="float32", name=f"{field}_mask")(given["mask"])
    return layers.Multiply(dtype="float32", name=f"{field}_there")([tensor, column])


def check_crystals(sample_shape: Any) -> None:
    """Refuse what are no fields of crystals."""
    if not isinstance(sample_shape, dict) or "coords" not in sample_shape:
        raise InputError(f"Crystals are told by fields, coords among them. Received: samples of {sample_shape!r}.")
