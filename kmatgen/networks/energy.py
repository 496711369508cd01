"""A discriminator that is an autoencoder: its score is how badly it reconstructs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod

import keras
from keras import layers

from kmatgen.errors import InputError, check_choice
from kmatgen.networks.parts import Maps, base_shape, dense_base, normalise, stage_filters

# Zhao et al. 2017, appendix: as in DCGAN.
_initializer = partial(keras.initializers.RandomNormal, stddev=0.02)


def energy_discriminator(
    sample_shape: Sequence[int],
    code_dim: int = 64,
    filters: int | Sequence[int] = 64,
    normalization: str | None = "batch",
    features: bool = False,
    periodic: bool = False,
    name: str = "discriminator",
) -> keras.Model:
    """Sample to energy: the mean squared error of a convolutional autoencoder's reconstruction.

    The encoder halves the sides by convolutions k4 s2 down to 4 points, the decoder doubles them again. Unlike
    other scores the energy is never negative and low for real samples; losses for such scores say so.

    Args:
        sample_shape: `(length, channels)`, `(height, width, channels)` or `(depth, height, width, channels)`;
            sides powers of two from 8 up.
        code_dim: Size of the code between encoder and decoder.
        filters: Filters of the finest inner maps, doubled at each coarser stage up to eightfold; or those of the
            encoder's stages from fine to coarse, which the decoder takes in reverse.
        normalization: `"batch"`, `"layer"` or `None`.
        features: Add `features`, the code, for the pulling-away term.
        periodic: Convolve periodically padded maps.
        name: Name of the network.

    Returns:
        A functional model from `sample` to `{"score": (batch, 1)}`, float32.

    Source: Zhao, Mathieu and LeCun 2017, equation 4 and figure 2.
    """
    base, stages = base_shape(sample_shape)
    check_choice("normalization", normalization, ("batch", "layer", None))
    if code_dim < 1:
        raise InputError(f"code_dim is at least 1. Received: {code_dim}.")
    counts = stage_filters(filters, stages)
    maps = Maps(len(base), _initializer, periodic)

    sample = keras.Input(tuple(sample_shape), name="sample")
    x = sample
    for index, count in enumerate(counts):
        x = maps.conv(x, count, 4, strides=2, name=f"down_{index}")
        x = normalise(x, normalization if index else None, f"down_norm_{index}")
        x = layers.LeakyReLU(0.2, name=f"down_leaky_{index}")(x)
    x = layers.Flatten(name="flatten")(x)
    code = layers.Dense(code_dim, kernel_initializer=_initializer(), dtype="float32", name="features")(x)
    x = dense_base(code, base, counts[-1], _initializer())
    for index, count in enumerate(counts[::-1]):
        if index:
            x = maps.double_conv(x, count, name=f"up_{index}")
        x = layers.ReLU(name=f"up_relu_{index}")(normalise(x, normalization, f"up_norm_{index}"))
    reconstruction = maps.double_conv(x, sample_shape[-1], dtype="float32", name="reconstruction")

    error = layers.Subtract(dtype="float32", name="error")([sample, reconstruction])
    error = layers.Flatten(dtype="float32", name="flat_error")(error)
    total = layers.Dot(axes=-1, dtype="float32", name="squared_error")([error, error])
    outputs = {"score": layers.Rescaling(1.0 / prod(sample_shape), dtype="float32", name="score")(total)}
    if features:
        outputs["features"] = code
    return keras.Model(sample, outputs, name=name)
