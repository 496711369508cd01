"""Residual generators and discriminators, for 1, 2 and 3 dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import Any

import keras
from keras import layers

from kmatgen.errors import check_choice
from kmatgen.networks import conditions
from kmatgen.networks.conditions import Condition
from kmatgen.networks.heads import Heads
from kmatgen.networks.parts import (
    Maps,
    Modulation,
    base_shape,
    check_generator,
    dense_base,
    normalise,
    stage_filters,
)

_POOLINGS = {1: layers.GlobalAveragePooling1D, 2: layers.GlobalAveragePooling2D, 3: layers.GlobalAveragePooling3D}

# Glorot's with gain sqrt 2 before a relu, as in Miyato et al. 2018; without it elsewhere.
_initializer = partial(keras.initializers.VarianceScaling, scale=2.0, mode="fan_avg", distribution="uniform")
_plain_initializer = keras.initializers.GlorotUniform


def resnet_generator(
    sample_shape: Sequence[int],
    latent_dim: int = 128,
    filters: int | Sequence[int] = 64,
    normalization: str | None = "batch",
    output_activation: str = "sigmoid",
    condition: Condition = None,
    conditioning: str = "concatenate",
    periodic: bool = False,
    name: str = "generator",
) -> keras.Model:
    """Noise to sample: a dense layer to the coarsest maps, then residual blocks that each double the sides.

    Arguments and result are those of `kmatgen.networks.dcgan_generator`; `filters` are those of each block.

    Source: Gulrajani et al. 2017, appendix; Miyato et al. 2018, table 4a.
    """
    base, stages = base_shape(sample_shape)
    check_generator(sample_shape, latent_dim, output_activation)
    check_choice("normalization", normalization, ("batch", "layer", None))
    counts = stage_filters(filters, stages, coarse_first=True)
    maps = Maps(len(base), _initializer, periodic)

    noise = keras.Input((latent_dim,), name="noise")
    given = conditions.condition_input(condition)
    x, modulation = conditions.enter_generator(noise, given, condition, conditioning)
    x = dense_base(x, base, counts[0], _plain_initializer())
    for index, count in enumerate(counts):
        x = _up_block(maps, x, count, normalization, modulation, f"block_{index}")
    x = normalise(x, normalization, "norm", modulation)
    x = layers.ReLU(name="relu")(x)
    last = {"activation": output_activation, "kernel_initializer": _plain_initializer(), "dtype": "float32"}
    x = maps.conv(x, sample_shape[-1], 3, name="sample", **last)
    return keras.Model(conditions.join_inputs("noise", noise, given), x, name=name)


def resnet_discriminator(
    sample_shape: Sequence[int],
    filters: int | Sequence[int] = 64,
    normalization: str | None = None,
    condition: Condition = None,
    conditioning: str = "concatenate",
    classes: int | None = None,
    code_categories: int | None = None,
    code_continuous: int | None = None,
    features: bool = False,
    periodic: bool = False,
    name: str = "discriminator",
) -> keras.Model:
    """Sample to score: residual blocks that each halve the sides down to 4, one more, sum pooling, dense heads.

    Arguments and result are those of `kmatgen.networks.dcgan_discriminator`; `filters` are those of each halving
    block, and `features` are the summed maps. Pooling is by averages, which have second derivatives.

    Source: Miyato et al. 2018, table 4b; Gulrajani et al. 2017, appendix; Miyato and Koyama 2018.
    """
    base, stages = base_shape(sample_shape)
    check_choice("normalization", normalization, ("batch", "layer", "spectral", None))
    is_spectral = normalization == "spectral"
    maps = Maps(len(base), _initializer, periodic, is_spectral)
    counts = stage_filters(filters, stages)
    heads = Heads(classes, code_categories, code_continuous, features, _plain_initializer, is_spectral)

    sample = keras.Input(tuple(sample_shape), name="sample")
    given = conditions.condition_input(condition)
    x = conditions.enter_discriminator(sample, given, condition, conditioning)
    x = _first_block(maps, x, counts[0])
    for index, count in enumerate(counts[1:], start=1):
        x = _down_block(maps, x, count, normalization, f"block_{index}")
    x = _down_block(maps, x, counts[-1], normalization, "block_last", halve=False)
    x = layers.ReLU(name="relu")(normalise(x, normalization, "norm"))
    # Sums overflow half precision sooner than means.
    x = _POOLINGS[len(base)](dtype="float32", name="mean_pool")(x)
    x = layers.Rescaling(float(prod(base)), dtype="float32", name="sum_pool")(x)
    outputs = heads.outputs(x, given, condition, conditioning)
    return keras.Model(conditions.join_inputs("sample", sample, given), outputs, name=name)


def _up_block(maps: Maps, x: Any, count: int, kind: str | None, modulation: Modulation, name: str) -> Any:
    """Doubled sides: x doubled and mixed, plus two convolutions of normalised, rectified x."""
    # A convolution k1 and nearest up-sampling commute; on the smaller maps it is cheaper.
    shortcut = maps.conv(x, count, 1, kernel_initializer=_plain_initializer(), name=f"{name}_shortcut")
    shortcut = maps.double(shortcut, f"{name}_shortcut_up")
    x = layers.ReLU(name=f"{name}_relu_0")(normalise(x, kind, f"{name}_norm_0", modulation))
    x = maps.conv(maps.double(x, f"{name}_up"), count, 3, name=f"{name}_conv_0")
    x = layers.ReLU(name=f"{name}_relu_1")(normalise(x, kind, f"{name}_norm_1", modulation))
    x = maps.conv(x, count, 3, name=f"{name}_conv_1")
    return layers.Add(name=f"{name}_sum")([shortcut, x])


def _first_block(maps: Maps, x: Any, count: int) -> Any:
    """A halving block without normalisation and without a relu before the data."""
    shortcut = maps.halve(x, "block_0_shortcut_pool")
    shortcut = maps.conv(shortcut, count, 1, kernel_initializer=_plain_initializer(), name="block_0_shortcut")
    x = layers.ReLU(name="block_0_relu")(maps.conv(x, count, 3, name="block_0_conv_0"))
    x = maps.halve(maps.conv(x, count, 3, name="block_0_conv_1"), "block_0_pool")
    return layers.Add(name="block_0_sum")([shortcut, x])


def _down_block(maps: Maps, x: Any, count: int, kind: str | None, name: str, halve: bool = True) -> Any:
    """Halved sides, or the same: x mixed, plus two convolutions of normalised, rectified x."""
    # A convolution k1 and an average commute; on the smaller maps it is cheaper.
    shortcut = maps.halve(x, f"{name}_shortcut_pool") if halve else x
    if halve or x.shape[-1] != count:
        shortcut = maps.conv(shortcut, count, 1, kernel_initializer=_plain_initializer(), name=f"{name}_shortcut")
    x = layers.ReLU(name=f"{name}_relu_0")(normalise(x, kind, f"{name}_norm_0"))
    x = maps.conv(x, count, 3, name=f"{name}_conv_0")
    x = layers.ReLU(name=f"{name}_relu_1")(normalise(x, kind, f"{name}_norm_1"))
    x = maps.conv(x, count, 3, name=f"{name}_conv_1")
    x = maps.halve(x, f"{name}_pool") if halve else x
    return layers.Add(name=f"{name}_sum")([shortcut, x])
