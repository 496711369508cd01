"""The published networks of CrysTens: three-dimensional convolutions without padding, over height, width and channels.

Source: Alverson et al., Digital Discovery 2024, 3, 62, and the sizes in the code published with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from kmatgen.errors import InputError
from kmatgen.networks.parts import check_generator, normalise, spectral

# What unpadded transposed convolutions k3 add to a side before the last one doubles it.
_GROWTH = 16
_SMALLEST_SIDE = 42


def crystens_generator(
    sample_shape: Sequence[int] = (64, 64, 4), latent_dim: int = 128, width: float = 1.0, name: str = "generator"
) -> keras.Model:
    """Noise to tensor, of the WGAN-GP: eight transposed convolutions k3 from 16 x 16 x 4, one k2 s2, and a mean of 10.

    Kernels are spectrally normalised; between the layers stand a layer normalisation, over the whole sample (the
    published one is over channels), and a leaky relu 0.2.

    Args:
        sample_shape: `(side, side, 4)`, an even side from 42 up.
        latent_dim: Size of the noise.
        width: Factor of the published numbers of filters, for a network that is quicker to train.
        name: Name of the network.

    Returns:
        A functional model from `noise` `(batch, latent_dim)` to samples in [0, 1], float32. At a width of 1 it has
        1,056,993 kernel values and biases.

    Raises:
        InputError: No such network.
    """
    base = _check(sample_shape, width) // 2 - _GROWTH
    check_generator(sample_shape, latent_dim, "sigmoid")
    noise = keras.Input((latent_dim,), name="noise")
    x = _spectral_stage(noise, layers.Dense(base * base * 4, name="dense"))
    x = layers.Reshape((base, base, 4, 1), name="base")(x)
    for index, filters in enumerate((128, 128, 64, 64, 32, 32, 32, 32)):
        x = _spectral_stage(x, layers.Conv3DTranspose(_scaled(filters, width), 3, name=f"conv_{index}"))
    x = _spectral_stage(x, layers.Conv3DTranspose(_scaled(32, width), 2, strides=2, name="double"))
    return keras.Model(noise, _to_sample(x, sample_shape, is_spectral=True), name=name)


def crystens_critic(
    sample_shape: Sequence[int] = (64, 64, 4), width: float = 1.0, name: str = "discriminator"
) -> keras.Model:
    """Tensor to score, of the WGAN-GP: convolutions within each channel, then two across them.

    Normalised as `crystens_generator` is. Whoever trains it calls `kmatgen.layers.update_spectral_norms`.

    Args:
        sample_shape: As for `crystens_generator`.
        width: As for `crystens_generator`.
        name: Name of the network.

    Returns:
        A functional model from `sample` to `{"score": (batch, 1)}`, float32. At a width of 1 it has 507,217 kernel
        values and biases.

    Raises:
        InputError: No such network.
    """
    _check(sample_shape, width)
    sample = keras.Input(tuple(sample_shape), name="sample")
    x = layers.Reshape((*sample_shape, 1), name="volume")(sample)
    within = [(16, 1)] * 2 + [(16, 3)] * 4 + [(32, 7)] * 3 + [(64, 7)]
    for index, (filters, size) in enumerate(within):
        x = _spectral_stage(x, layers.Conv3D(_scaled(filters, width), (size, size, 1), name=f"conv_{index}"))
    x = _spectral_stage(x, layers.Conv3D(_scaled(64, width), (5, 5, 2), strides=(5, 5, 1), name="fifth"))
    x = _spectral_stage(x, layers.Conv3D(_scaled(128, width), 2, strides=2, name="halve"))
    return keras.Model(sample, {"score": _to_score(x, is_spectral=True)}, name=name)


def crystens_gan_generator(
    sample_shape: Sequence[int] = (64, 64, 4), latent_dim: int = 128, width: float = 1.0, name: str = "generator"
) -> keras.Model:
    """Noise to tensor, of the vanilla GAN: as `crystens_generator`, with a branch of dense layers beside it.

    The branch makes maps of the sides reached (for 64: 22, 28, 32 and 64) that are added to all channels. Batch
    normalisation and relu everywhere, no spectral normalisation.

    Args:
        sample_shape: As for `crystens_generator`.
        latent_dim: Size of the noise.
        width: Factor of the published numbers of filters, and of units inside the branch.
        name: Name of the network.

    Returns:
        As for `crystens_generator`.

    Raises:
        InputError: No such network.
    """
    side = _check(sample_shape, width)
    check_generator(sample_shape, latent_dim, "sigmoid")
    base = side // 2 - _GROWTH
    noise = keras.Input((latent_dim,), name="noise")
    branch = noise
    x = _batch_stage(noise, layers.Dense(base * base * 4, name="dense"), slope=0.0)
    x = layers.Reshape((base, base, 4, 1), name="base")(x)
    stages = (((256, 128, 128), 2), ((128, 64, 64), 3), ((64, 64), 2))
    for stage, (filters, depth) in enumerate(stages):
        for index, count in enumerate(filters):
            layer = layers.Conv3DTranspose(_scaled(count, width), 3, name=f"conv_{stage}_{index}")
            x = _batch_stage(x, layer, slope=0.0)
        branch = _dense_branch(branch, x.shape[1], depth, width, f"branch_{stage}", slope=0.0)
        x = _with_map(x, branch, f"branch_{stage}")
    x = _batch_stage(x, layers.Conv3DTranspose(_scaled(32, width), 2, strides=2, name="double"), slope=0.0)
    x = _with_map(x, _dense_branch(branch, side, 1, width, "branch_3", slope=0.0), "branch_3")
    return keras.Model(noise, _to_sample(x, sample_shape, is_spectral=False), name=name)


def crystens_gan_discriminator(
    sample_shape: Sequence[int] = (64, 64, 4), width: float = 1.0, name: str = "discriminator"
) -> keras.Model:
    """Tensor to score, of the vanilla GAN: convolutions, and a branch of dense layers on the whole tensor.

    The branch makes maps (for a side of 64 of 32 x 32 and 3 x 3) that are added to all channels. Batch normalisation
    and leaky relu 0.2 everywhere.

    Args:
        sample_shape: As for `crystens_generator`.
        width: As for `crystens_gan_generator`.
        name: Name of the network.

    Returns:
        A functional model from `sample` to `{"score": (batch, 1)}`, a logit, float32.

    Raises:
        InputError: No such network.
    """
    _check(sample_shape, width)
    sample = keras.Input(tuple(sample_shape), name="sample")
    x = layers.Reshape((*sample_shape, 1), name="volume")(sample)
    within = [(32, 1)] + [(32, 3)] * 3 + [(64, 3)] + [(64, 7)] * 4
    for index, (filters, size) in enumerate(within):
        x = _batch_stage(x, layers.Conv3D(_scaled(filters, width), (size, size, 1), name=f"conv_{index}"))
    branch = _dense_branch(layers.Flatten(name="flat_sample")(sample), x.shape[1], 4, width, "branch_0")
    x = _with_map(x, branch, "branch_0")
    x = _batch_stage(x, layers.Conv3D(_scaled(128, width), (5, 5, 2), strides=(5, 5, 1), name="fifth"))
    x = _batch_stage(x, layers.Conv3D(_scaled(256, width), 2, strides=2, name="halve"))
    x = _with_map(x, _dense_branch(branch, x.shape[1], 1, width, "branch_1"), "branch_1")
    return keras.Model(sample, {"score": _to_score(x, is_spectral=False)}, name=name)


def _spectral_stage(x: Any, layer: layers.Layer) -> Any:
    x = normalise(spectral(layer)(x), "layer", f"{layer.name}_norm")
    return layers.LeakyReLU(0.2, name=f"{layer.name}_leaky")(x)


def _batch_stage(x: Any, layer: layers.Layer, slope: float = 0.2) -> Any:
    x = normalise(layer(x), "batch", f"{layer.name}_norm")
    return layers.LeakyReLU(slope, name=f"{layer.name}_relu")(x)


def _dense_branch(x: Any, side: int, depth: int, width: float, name: str, slope: float = 0.2) -> Any:
    """So many dense layers, the last of which has a unit for each point of a map."""
    for index in range(depth):
        units = side * side if index == depth - 1 else _scaled(side * side, width)
        x = _batch_stage(x, layers.Dense(units, name=f"{name}_dense_{index}"), slope)
    return x


def _with_map(x: Any, points: Any, name: str) -> Any:
    """Volumes plus a map, the same for all channels and for all depths."""
    points = layers.Reshape((*x.shape[1:3], 1, 1), name=f"{name}_map")(points)
    return layers.Add(name=f"{name}_added")([x, points])


def _to_sample(x: Any, sample_shape: Sequence[int], is_spectral: bool) -> Any:
    """Volumes of depth 40 to four channels."""
    last = layers.Conv3D(1, (1, 1, 10), strides=(1, 1, 10), activation="sigmoid", dtype="float32", name="merge")
    return layers.Reshape(tuple(sample_shape), dtype="float32", name="sample")(spectral(last, is_spectral)(x))


def _to_score(x: Any, is_spectral: bool) -> Any:
    x = layers.Dropout(0.25, name="dropout")(layers.Flatten(name="flatten")(x))
    return spectral(layers.Dense(1, dtype="float32", name="score"), is_spectral)(x)


def _scaled(count: int, width: float) -> int:
    return max(1, round(count * width))


def _check(sample_shape: Sequence[int], width: float) -> int:
    """The side of tensors that the networks can be built for."""
    side, *others = sample_shape
    if others != [side, 4] or side < _SMALLEST_SIDE or side % 2:
        raise InputError(
            f"CrysTens networks need (side, side, 4) with an even side from {_SMALLEST_SIDE} up. "
            f"Received: {tuple(sample_shape)}."
        )
    if not width > 0:
        raise InputError(f"width is a factor above 0. Received: {width!r}.")
    return side
