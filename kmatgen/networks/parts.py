"""What the adversarial networks have in common: shapes, layers for 1, 2 or 3 dimensions, normalisations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from keras import layers

from kmatgen.errors import InputError, check_choice
from kmatgen.layers import (
    BatchNormalization,
    ConditionalBatchNormalization,
    LayerNormalization,
    PeriodicPadding,
    SpectralNormalization,
)

# A symbolic condition and the number of its classes, None for a property vector.
Modulation = tuple[Any, int | None] | None

# Shorter side of the coarsest maps.
BASE_SIDE = 4

_CONVOLUTIONS = {1: layers.Conv1D, 2: layers.Conv2D, 3: layers.Conv3D}
_TRANSPOSED = {1: layers.Conv1DTranspose, 2: layers.Conv2DTranspose, 3: layers.Conv3DTranspose}
_UP_SAMPLINGS = {1: layers.UpSampling1D, 2: layers.UpSampling2D, 3: layers.UpSampling3D}
_POOLINGS = {1: layers.AveragePooling1D, 2: layers.AveragePooling2D, 3: layers.AveragePooling3D}
_ACTIVATIONS = ("sigmoid", "tanh", "softmax", "linear")


@dataclass(frozen=True)
class Maps:
    """Makes the layers of one network on channels-last maps of 1, 2 or 3 dimensions.

    Args:
        dimensions: Number of spatial dimensions.
        initializer: Makes a kernel initialiser. One instance for all layers would start equal shapes equally.
        periodic: Continue maps periodically at their borders instead of by zeros.
        spectral: Normalise kernels spectrally.
    """

    dimensions: int
    initializer: Callable[[], Any]
    periodic: bool = False
    spectral: bool = False

    def conv(self, x: Any, filters: int, size: int, strides: int = 1, **options: Any) -> Any:
        """A convolution to sides divided by `strides`; `options` as for the Keras layer, with a `name`."""
        excess = size - strides
        padding = "same"
        if self.periodic and excess > 0:
            before = excess // 2
            x = PeriodicPadding([[before, excess - before]] * self.dimensions, name=f"{options['name']}_pad")(x)
            padding = "valid"
        options.setdefault("kernel_initializer", self.initializer())
        make = _CONVOLUTIONS[self.dimensions]
        return spectral(make(filters, size, strides=strides, padding=padding, **options), self.spectral)(x)

    def double_conv(self, x: Any, filters: int, **options: Any) -> Any:
        """Doubled sides: a transposed convolution k4 s2; if periodic, nearest up-sampling and a convolution k3."""
        if self.periodic:
            return self.conv(self.double(x, f"{options['name']}_up"), filters, 3, **options)
        options.setdefault("kernel_initializer", self.initializer())
        make = _TRANSPOSED[self.dimensions]
        return spectral(make(filters, 4, strides=2, padding="same", **options), self.spectral)(x)

    def double(self, x: Any, name: str) -> Any:
        """Doubled sides, by repeating points: unlike bilinear up-sampling, right in second derivatives (trap 10)."""
        return _UP_SAMPLINGS[self.dimensions](2, name=name)(x)

    def halve(self, x: Any, name: str) -> Any:
        """Halved sides, by averages."""
        return _POOLINGS[self.dimensions](2, name=name)(x)


def spectral(layer: layers.Layer, active: bool = True) -> layers.Layer:
    """The layer, wrapped in `SpectralNormalization` of the same name if `active`."""
    return SpectralNormalization(layer, name=layer.name) if active else layer


def normalise(x: Any, kind: str | None, name: str, modulation: Modulation = None) -> Any:
    """Apply a normalisation.

    Args:
        x: A symbolic tensor.
        kind: `"batch"`, `"layer"` (over all axes but the batch's, with a scale and an offset for each channel, as
            Gulrajani et al. 2017 use it), or `None` and `"spectral"`, which change nothing here.
        name: Name of the layer.
        modulation: What scales and shifts a batch normalisation that is used then, whatever `kind` says.
    """
    # The moving statistics of the papers' code, which are also right after short trainings.
    settings = {"momentum": 0.9, "epsilon": 2e-5, "name": name}
    if modulation is not None:
        tensor, classes = modulation
        return ConditionalBatchNormalization(classes, **settings)(x, tensor)
    if kind == "batch":
        return BatchNormalization(**settings)(x)
    if kind == "layer":
        return LayerNormalization(name=name)(x)
    return x


def check_sizes(sample_shape: Sequence[int]) -> None:
    """Refuse a shape of a sample with sizes left open; what a network makes has a size.

    Raises:
        InputError: A size is no whole number.
    """
    if not all(isinstance(size, int | np.integer) for size in sample_shape):
        raise InputError(f"The shape of a sample is whole numbers, none left open. Received: {tuple(sample_shape)}.")


def base_shape(sample_shape: Sequence[int]) -> tuple[tuple[int, ...], int]:
    """Sides of the coarsest maps and the number of doublings from there to a sample's sides.

    Raises:
        InputError: No map of 1 to 3 dimensions whose sides are powers of two from 8 up.
    """
    check_sizes(sample_shape)
    *sides, channels = sample_shape
    if not 1 <= len(sides) <= 3 or any(side < 8 or side & (side - 1) for side in sides) or channels < 1:
        raise InputError(
            "A sample_shape is 1 to 3 sides, powers of two from 8 up, and the channels. "
            f"Received: {tuple(sample_shape)}."
        )
    doublings = (min(sides) // BASE_SIDE).bit_length() - 1
    return tuple(side >> doublings for side in sides), doublings


def stage_filters(filters: int | Sequence[int], stages: int, coarse_first: bool = False) -> tuple[int, ...]:
    """Filters for each stage: doubled from fine to coarse up to eightfold, or as given in the network's order.

    Raises:
        InputError: Not one positive number for each stage.
    """
    if isinstance(filters, int):
        filters = [filters * 2 ** min(stage, 3) for stage in range(stages)]
        filters = filters[::-1] if coarse_first else filters
    if len(filters) != stages or any(count < 1 for count in filters):
        raise InputError(
            f"filters is one positive number, or one for each of {stages} stages. Received: {tuple(filters)}."
        )
    return tuple(filters)


def check_generator(sample_shape: Sequence[int], latent_dim: int, output_activation: str) -> None:
    """Refuse what no generator can be built for."""
    check_choice("output_activation", output_activation, _ACTIVATIONS)
    if output_activation == "softmax" and sample_shape[-1] < 2:
        raise InputError(f"softmax chooses between at least 2 channels. Received: {tuple(sample_shape)}.")
    if latent_dim < 1:
        raise InputError(f"latent_dim is at least 1. Received: {latent_dim}.")


def dense_base(x: Any, base: Sequence[int], filters: int, initializer: Any, use_bias: bool = True) -> Any:
    """A vector to the coarsest maps of a generator."""
    x = layers.Dense(prod(base) * filters, use_bias=use_bias, kernel_initializer=initializer, name="dense")(x)
    return layers.Reshape((*base, filters), name="base")(x)
