"""The convolutional generator and discriminator of DCGAN, for 1, 2 and 3 dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import keras
from keras import layers

from kmatgen.errors import check_choice
from kmatgen.networks import conditions
from kmatgen.networks.conditions import Condition
from kmatgen.networks.heads import Heads
from kmatgen.networks.parts import (
    Maps,
    base_shape,
    check_generator,
    dense_base,
    normalise,
    stage_filters,
)

# Radford et al. 2016, section 4.
_initializer = partial(keras.initializers.RandomNormal, stddev=0.02)


def dcgan_generator(
    sample_shape: Sequence[int],
    latent_dim: int = 100,
    filters: int | Sequence[int] = 64,
    normalization: str | None = "batch",
    output_activation: str = "sigmoid",
    condition: Condition = None,
    conditioning: str = "concatenate",
    periodic: bool = False,
    name: str = "generator",
) -> keras.Model:
    """Noise to sample: a dense layer to the coarsest maps, then transposed convolutions k4 s2.

    The coarsest maps have 4 points on their shorter side. Between the layers stand a normalisation and a relu.

    Args:
        sample_shape: `(length, channels)`, `(height, width, channels)` or `(depth, height, width, channels)`;
            sides powers of two from 8 up.
        latent_dim: Size of the noise.
        filters: Filters of the finest inner maps, doubled at each coarser stage up to eightfold; or the filters
            of each stage from coarse to fine, as many as the shorter side can be halved down to 4.
        normalization: `"batch"`, `"layer"` or `None`.
        output_activation: `"sigmoid"` for data in [0, 1], kmatgen's unit of images; `"tanh"` for data the user
            has scaled to [-1, 1] (nothing is scaled back); `"softmax"` over channels, for phases; `"linear"`.
        condition: What the samples are generated for, see `kmatgen.networks.conditions`.
        conditioning: `"concatenate"` the condition to the noise, or `"conditional_normalization"`: batch
            normalisations, whatever `normalization` says, with scale and offset by the condition.
        periodic: Samples tile without seams: each transposed convolution becomes a nearest up-sampling and a
            convolution k3 on periodically padded maps.
        name: Name of the network.

    Returns:
        A functional model from `noise` `(batch, latent_dim)`, or `{"noise", "condition"}`, to samples
        `(batch, *sample_shape)` in float32.

    Source: Radford, Metz and Chintala 2016, figure 1.
    """
    base, stages = base_shape(sample_shape)
    check_generator(sample_shape, latent_dim, output_activation)
    check_choice("normalization", normalization, ("batch", "layer", None))
    counts = stage_filters(filters, stages, coarse_first=True)
    maps = Maps(len(base), _initializer, periodic)

    noise = keras.Input((latent_dim,), name="noise")
    given = conditions.condition_input(condition)
    x, modulation = conditions.enter_generator(noise, given, condition, conditioning)
    # A normalisation takes a bias away again and has one of its own.
    use_bias = normalization is None and modulation is None
    x = dense_base(x, base, counts[0], _initializer(), use_bias)
    for index, count in enumerate(counts):
        if index:
            x = maps.double_conv(x, count, use_bias=use_bias, name=f"conv_{index}")
        x = normalise(x, normalization, f"norm_{index}", modulation)
        x = layers.ReLU(name=f"relu_{index}")(x)
    last = {"activation": output_activation, "dtype": "float32", "name": "sample"}
    x = maps.double_conv(x, sample_shape[-1], **last)
    return keras.Model(conditions.join_inputs("noise", noise, given), x, name=name)


def dcgan_discriminator(
    sample_shape: Sequence[int],
    filters: int | Sequence[int] = 64,
    normalization: str | None = "batch",
    condition: Condition = None,
    conditioning: str = "concatenate",
    classes: int | None = None,
    code_categories: int | None = None,
    code_continuous: int | None = None,
    features: bool = False,
    periodic: bool = False,
    name: str = "discriminator",
) -> keras.Model:
    """Sample to score: convolutions k4 s2 with leaky relu 0.2 down to 4 points, then dense heads.

    Args:
        sample_shape: As for `dcgan_generator`.
        filters: Filters of the first convolution, doubled at each coarser stage up to eightfold; or the filters
            of each stage from fine to coarse.
        normalization: `"batch"`; `"layer"` or `None`, one of which a gradient penalty needs, since it is for each
            sample alone; `"spectral"` for spectrally normalised kernels, which whoever trains updates with
            `kmatgen.layers.update_spectral_norms`.
        condition: The condition of the samples, see `kmatgen.networks.conditions`.
        conditioning: `"concatenate"` the condition to the sample as constant channels, or `"projection"`.
        classes: Number of classes of an auxiliary classifier: adds `class_logits`.
        code_categories: Number of values of an InfoGAN's categorical code: adds `code_logits`.
        code_continuous: Number of an InfoGAN's continuous codes: adds `code_mean`.
        features: Add `features`, the last flattened layer.
        periodic: Convolve periodically padded maps.
        name: Name of the network.

    Returns:
        A functional model from `sample`, or `{"sample", "condition"}`, to `{"score": (batch, 1), ...}` in
        float32. The score is unbounded: a logit, or a critic's value.

    Source: Radford, Metz and Chintala 2016; for `"spectral"` Miyato et al. 2018; for `"projection"` Miyato
    and Koyama 2018.
    """
    base, stages = base_shape(sample_shape)
    check_choice("normalization", normalization, ("batch", "layer", "spectral", None))
    is_spectral = normalization == "spectral"
    maps = Maps(len(base), _initializer, periodic, is_spectral)
    heads = Heads(classes, code_categories, code_continuous, features, _initializer, is_spectral)

    sample = keras.Input(tuple(sample_shape), name="sample")
    given = conditions.condition_input(condition)
    x = conditions.enter_discriminator(sample, given, condition, conditioning)
    for index, count in enumerate(stage_filters(filters, stages)):
        # The paper leaves the first layer without normalisation.
        kind = normalization if index else None
        x = maps.conv(x, count, 4, strides=2, use_bias=kind not in ("batch", "layer"), name=f"conv_{index}")
        x = normalise(x, kind, f"norm_{index}")
        x = layers.LeakyReLU(0.2, name=f"leaky_{index}")(x)
    x = layers.Flatten(name="flatten")(x)
    outputs = heads.outputs(x, given, condition, conditioning)
    return keras.Model(conditions.join_inputs("sample", sample, given), outputs, name=name)
