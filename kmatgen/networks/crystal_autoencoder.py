"""Networks of an autoencoder of crystals: one-dimensional convolutions over ordered sites, or dense layers.

After FTCP (Ren et al., Matter 2022, 5, 314), which reads a crystal as a table of sites, too, by convolutions along it,
and predicts properties from the latent point that the crystal is decoded from.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import pi
from typing import Any

import keras
from keras import layers, ops

from kmatgen.errors import InputError
from kmatgen.layers import LayerNormalization
from kmatgen.networks.conditions import Conditions, as_one_vector, condition_inputs, join_inputs
from kmatgen.networks.crystals import check_crystals, dense_field, residual_blocks, where_there_are_sites

# Sites are taken together by two strides of 2.
_SHRINK = 4


def crystal_encoder(
    sample_shape: dict[str, tuple[int, ...]],
    latent_dim: int = 64,
    width: int = 256,
    blocks: int = 3,
    period: float = 4.0,
    condition: Conditions = None,
    name: str = "encoder",
) -> keras.Model:
    """Fields of a crystal, and a condition where there is one, to mean and variance of its latent point.

    Of sets, coordinates enter by sines and cosines, and three convolutions go over the sites, which come in their
    canonical order; then, and for fields that are vectors from the beginning, dense residual blocks.

    Args:
        sample_shape: Shape of each field by name.
        latent_dim: Size of a latent point.
        width: Units of a block; the convolutions have a quarter, a half and all of that many filters.
        blocks: Number of blocks.
        period: Length of a cell edge in the scale of `coords`, for sets of sites.
        condition: See `kmatgen.networks.conditions`.
        name: Name of the network.

    Returns:
        A functional model from the fields, or `{"sample", "condition"}`, to `mean` and `log_var` `(batch, latent_dim)`,
        float32.

    Raises:
        InputError: The samples have no coordinates, or there is no latent dimension.
    """
    _check(sample_shape, latent_dim)
    sample = {field: keras.Input(shape, name=field) for field, shape in sample_shape.items()}
    given = condition_inputs(condition)
    told = [layers.Flatten(name=f"{field}_flat")(tensor) for field, tensor in sample.items() if len(tensor.shape) == 2]
    told += [] if given is None else [as_one_vector(given, condition)]
    of_sites = {field: tensor for field, tensor in sample.items() if len(tensor.shape) == 3}
    if of_sites:
        x = _site_rows(of_sites, given, period)
        for index, (filters, size, stride) in enumerate(((width // 4, 5, 1), (width // 2, 3, 2), (width, 3, 2))):
            x = _conv(layers.Conv1D, x, filters, size, stride, index)
        told.append(layers.Flatten(name="sites_flat")(x))
    x = layers.Dense(width, name="dense")(layers.Concatenate(name="told")(told) if len(told) > 1 else told[0])
    x = residual_blocks(x, width, blocks, LayerNormalization)
    heads = {head: layers.Dense(latent_dim, dtype="float32", name=head)(x) for head in ("mean", "log_var")}
    return keras.Model(join_inputs("sample", sample, given), heads, name=name)


def crystal_decoder(
    sample_shape: dict[str, tuple[int, ...]],
    latent_dim: int = 64,
    width: int = 256,
    blocks: int = 3,
    condition: Conditions = None,
    name: str = "decoder",
) -> keras.Model:
    """A latent point, and a condition where there is one, to the fields of a crystal: `crystal_encoder` backwards.

    Sites of a set come in their canonical order; where the condition has a `mask`, fields are 0 beside it.

    Args:
        sample_shape: Shape of each field by name.
        latent_dim: Size of a latent point.
        width: As for `crystal_encoder`.
        blocks: Number of blocks.
        condition: See `kmatgen.networks.conditions`.
        name: Name of the network.

    Returns:
        A functional model from `latent`, or `{"latent", "condition"}`, to fields, unbounded, float32.

    Raises:
        InputError: The samples have no coordinates, or there is no latent dimension.
    """
    _check(sample_shape, latent_dim)
    latent, given = keras.Input((latent_dim,), name="latent"), condition_inputs(condition)
    start = latent if given is None else layers.Concatenate(name="start")([latent, as_one_vector(given, condition)])
    x = residual_blocks(layers.Dense(width, name="dense")(start), width, blocks, LayerNormalization)
    of_sites = [field for field, shape in sample_shape.items() if len(shape) == 2]
    rows = _decoded_rows(x, sample_shape[of_sites[0]][0], width) if of_sites else None
    outputs = {}
    for field, shape in sample_shape.items():
        if field in of_sites:
            made = layers.Conv1D(shape[1], 1, dtype="float32", name=f"{field}_head")(rows)
            outputs[field] = where_there_are_sites(made, given, field)
        else:
            outputs[field] = dense_field(x, field, shape)
    return keras.Model(join_inputs("latent", latent, given), outputs, name=name)


def property_head(
    sample_shape: Any,
    latent_dim: int = 64,
    width: int = 64,
    properties: Mapping[str, Any] | None = None,
    name: str = "property_head",
) -> keras.Model | None:
    """Latent points to properties, by one hidden layer: what makes a latent space follow them.

    Args:
        sample_shape: Of the samples behind the latent points; any.
        latent_dim: Size of a latent point.
        width: Units of the hidden layer.
        properties: Their names.
        name: Name of the network.

    Returns:
        A functional model from `latent` to a dict of standardised properties `(batch, 1)`, float32. None where there
        are no properties.

    Raises:
        InputError: There is no unit or no latent dimension.
    """
    if not properties:
        return None
    if latent_dim < 1 or width < 1:
        raise InputError(f"latent_dim and width are at least 1. Received: {latent_dim}, {width}.")
    latent = keras.Input((latent_dim,), name="latent")
    x = layers.Dense(width, activation="silu", name="hidden")(latent)
    # Numbered: a column may be called what no layer can.
    heads = {
        column: layers.Dense(1, dtype="float32", name=f"property_{index}")(x) for index, column in enumerate(properties)
    }
    return keras.Model(latent, heads, name=name)


def _site_rows(of_sites: dict[str, Any], given: Any, period: float) -> Any:
    """A row for each site: its features, where it stands, whether it is there."""
    angles = layers.Rescaling(2 * pi / period, dtype="float32", name="angles")(of_sites["coords"])
    rows = [tensor for field, tensor in of_sites.items() if field != "coords"] + [ops.sin(angles), ops.cos(angles)]
    joined = layers.Concatenate(name="rows")(rows)
    if not (isinstance(given, dict) and "mask" in given):
        return joined
    column = layers.Reshape((joined.shape[1], 1), name="there_column")(given["mask"])
    there = layers.Multiply(name="rows_there")([joined, column])
    return layers.Concatenate(name="rows_and_mask")([there, column])


def _decoded_rows(x: Any, sites: int, width: int) -> Any:
    """A row of `width / 2` features for each site, from one vector."""
    base = -(-sites // _SHRINK)
    rows = layers.Reshape((base, width), name="base")(layers.Dense(base * width, name="rows_dense")(x))
    for index, filters in enumerate((width // 2, width // 4)):
        rows = _conv(layers.Conv1DTranspose, rows, filters, 4, 2, index)
    rows = layers.Cropping1D((0, base * _SHRINK - sites), name="rows_cropped")(rows)
    return _conv(layers.Conv1D, rows, width // 2, 5, 1, 2)


def _conv(make: type[layers.Layer], x: Any, filters: int, size: int, stride: int, number: int) -> Any:
    x = make(filters, size, strides=stride, padding="same", name=f"conv_{number}")(x)
    return layers.Activation("silu", name=f"conv_silu_{number}")(LayerNormalization(name=f"conv_norm_{number}")(x))


def _check(sample_shape: Any, latent_dim: int) -> None:
    check_crystals(sample_shape)
    if latent_dim < 1:
        raise InputError(f"latent_dim is at least 1. Received: {latent_dim}.")
