"""The plain convolutional encoder and decoder of microstructure VAE studies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from kmatgen.errors import InputError
from kmatgen.layers import BatchNormalization, UpsampledConv2D
from kmatgen.networks.parts import check_sizes

# Of the moving statistics. With Keras' 0.99 they still hold a good part of their first values after some hundred steps,
# which is many epochs of a small set, and reconstructions are grey or worse where the training loss is not.
_MOMENTUM = 0.9
# The coarsest map of the decoder: 8 x 8 with 8 channels.
_BASE = 8


def conv_encoder(
    input_shape: Sequence[int],
    latent_dim: int = 16,
    filters: Sequence[int] = (16, 32, 64, 128),
    variational: bool = True,
    name: str = "encoder",
) -> keras.Model:
    """Image to latent: blocks of a 2 x 2 convolution and a 2 x 2 max-pooling, then dense heads.

    The first convolution pads, the others do not; where a map has shrunk below 4 pixels they pad too,
    so that images of 16 pixels bear four blocks.

    Args:
        input_shape: `(height, width, channels)`; both sides a power of two, at least 16.
        latent_dim: Number of latent dimensions.
        filters: Filters of each block, from fine to coarse.
        variational: With two heads, `{"mean", "log_var"}` (for `VAE`), or with one, the latent
            itself (for `Autoencoder`).
        name: Name of the network.

    Returns:
        A functional model from `(batch, height, width, channels)` to `(batch, latent_dim)`, in float32.
    """
    _check(input_shape, latent_dim, filters)
    image = keras.Input(tuple(input_shape), name="image")
    x = image
    for index, count in enumerate(filters):
        height, width = x.shape[1:3]
        padding = "same" if index == 0 or min(height, width) < 4 else "valid"
        x = layers.Conv2D(count, 2, padding=padding, activation="relu", name=f"conv_{index}")(x)
        if min(x.shape[1:3]) > 1:
            x = layers.MaxPooling2D(2, name=f"pool_{index}")(x)
    x = layers.Flatten(name="flatten")(x)
    if not variational:
        return keras.Model(image, layers.Dense(latent_dim, dtype="float32", name="latent")(x), name=name)
    heads = {head: layers.Dense(latent_dim, dtype="float32", name=head)(x) for head in ("mean", "log_var")}
    return keras.Model(image, heads, name=name)


def conv_decoder(
    output_shape: Sequence[int],
    latent_dim: int = 16,
    filters: Sequence[int] = (128, 64, 32, 16),
    name: str = "decoder",
) -> keras.Model:
    """Latent to image: a dense layer, then blocks of convolution, batch normalisation and up-sampling.

    The coarsest map has 8 pixels on its shorter side. The doublings up to `output_shape` are spread
    over the blocks, the first blocks taking one more where they do not divide evenly.

    Args:
        output_shape: `(height, width, channels)`; both sides a power of two, at least 16.
        latent_dim: Number of latent dimensions.
        filters: Filters of each block, from coarse to fine.
        name: Name of the network.

    Returns:
        A functional model from `(batch, latent_dim)` to unbounded scores `(batch, height, width, channels)`
        in float32: logits, of which `VAE` takes the sigmoid.
    """
    _check(output_shape, latent_dim, filters)
    height, width, channels = output_shape
    doublings = (min(height, width) // _BASE).bit_length() - 1
    base = (height >> doublings, width >> doublings, _BASE)
    each, extra = divmod(doublings, len(filters))

    latent = keras.Input((latent_dim,), name="latent")
    x = layers.Dense(base[0] * base[1] * base[2], activation="relu", name="dense")(latent)
    x = layers.Reshape(base, name="reshape")(x)
    factor = 1
    for index, count in enumerate(filters):
        x = _convolution(count, factor, activation="relu", name=f"conv_{index}")(x)
        x = BatchNormalization(momentum=_MOMENTUM, name=f"norm_{index}")(x)
        x = layers.LeakyReLU(name=f"leaky_{index}")(x)
        factor = 2 ** (each + (index < extra))
    image = _convolution(channels, factor, dtype="float32", name="image")(x)
    return keras.Model(latent, image, name=name)


def _convolution(filters: int, factor: int, **options: Any) -> keras.layers.Layer:
    """A 2 x 2 convolution of the map enlarged by this factor."""
    if factor == 1:
        return layers.Conv2D(filters, 2, padding="same", **options)
    return UpsampledConv2D(filters, factor, **options)


def _check(shape: Sequence[int], latent_dim: int, filters: Sequence[int]) -> None:
    check_sizes(shape)
    if len(shape) != 3 or any(side < 16 or side & (side - 1) for side in shape[:2]) or shape[2] < 1:
        raise InputError(
            "An image is (height, width, channels) with sides that are powers of two from 16 up. "
            f"Received: {tuple(shape)}."
        )
    if latent_dim < 1:
        raise InputError(f"latent_dim is at least 1. Received: {latent_dim}.")
    if not filters or any(count < 1 for count in filters):
        raise InputError(f"filters holds a positive number for each block. Received: {tuple(filters)}.")
