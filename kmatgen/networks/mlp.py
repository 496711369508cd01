"""Fully connected generators and discriminators: the first GAN, and the ones for vectors."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import keras
from keras import layers

from kmatgen.errors import InputError, check_choice
from kmatgen.networks import conditions
from kmatgen.networks.conditions import Condition
from kmatgen.networks.heads import Heads
from kmatgen.networks.parts import check_generator, check_sizes, normalise, spectral


def mlp_generator(
    sample_shape: Sequence[int],
    latent_dim: int = 100,
    units: Sequence[int] = (100,),
    activation: str = "relu",
    normalization: str | None = None,
    output_activation: str = "sigmoid",
    condition: Condition = None,
    conditioning: str = "concatenate",
    name: str = "generator",
) -> keras.Model:
    """Noise to sample through dense layers.

    Args:
        sample_shape: `(k,)` for vectors, or any shape with the channels last.
        latent_dim: Size of the noise.
        units: Units of each hidden layer.
        activation: Activation of the hidden layers.
        normalization: Before each activation: `"batch"`, `"layer"` or `None`.
        output_activation: `"sigmoid"` for data in [0, 1], kmatgen's unit of images; `"tanh"` for data the user
            has scaled to [-1, 1] (nothing is scaled back); `"softmax"` over the last axis; `"linear"`.
        condition: What the samples are generated for, see `kmatgen.networks.conditions`.
        conditioning: `"concatenate"` the condition to the noise, or `"conditional_normalization"`.
        name: Name of the network.

    Returns:
        A functional model from `noise` `(batch, latent_dim)`, or `{"noise", "condition"}`, to samples
        `(batch, *sample_shape)` in float32.

    Source: Goodfellow et al. 2014.
    """
    _check(sample_shape, units)
    check_generator(sample_shape, latent_dim, output_activation)
    check_choice("normalization", normalization, ("batch", "layer", None))
    noise = keras.Input((latent_dim,), name="noise")
    given = conditions.condition_input(condition)
    x, modulation = conditions.enter_generator(noise, given, condition, conditioning)
    for index, count in enumerate(units):
        x = layers.Dense(count, name=f"dense_{index}")(x)
        x = normalise(x, normalization, f"norm_{index}", modulation)
        x = layers.Activation(activation, name=f"{activation}_{index}")(x)
    x = layers.Dense(prod(sample_shape), dtype="float32", name="dense")(x)
    x = layers.Reshape(tuple(sample_shape), dtype="float32", name="reshape")(x)
    x = layers.Activation(output_activation, dtype="float32", name="sample")(x)
    return keras.Model(conditions.join_inputs("noise", noise, given), x, name=name)


def mlp_discriminator(
    sample_shape: Sequence[int],
    units: Sequence[int] = (100,),
    normalization: str | None = None,
    condition: Condition = None,
    conditioning: str = "concatenate",
    classes: int | None = None,
    code_categories: int | None = None,
    code_continuous: int | None = None,
    features: bool = False,
    name: str = "discriminator",
) -> keras.Model:
    """Sample to score through dense layers with leaky relu 0.2.

    Args:
        sample_shape: As for `mlp_generator`.
        units: Units of each hidden layer.
        normalization: `"batch"`, `"layer"`, `"spectral"` or `None`, as for `dcgan_discriminator`.
        condition: The condition of the samples, see `kmatgen.networks.conditions`.
        conditioning: `"concatenate"` the condition to the flat sample, or `"projection"`.
        classes: Number of classes of an auxiliary classifier: adds `class_logits`.
        code_categories: Number of values of an InfoGAN's categorical code: adds `code_logits`.
        code_continuous: Number of an InfoGAN's continuous codes: adds `code_mean`.
        features: Add `features`, the last hidden layer.
        name: Name of the network.

    Returns:
        A functional model from `sample`, or `{"sample", "condition"}`, to `{"score": (batch, 1), ...}` in
        float32. The score is unbounded.

    Source: Goodfellow et al. 2014.
    """
    _check(sample_shape, units)
    check_choice("normalization", normalization, ("batch", "layer", "spectral", None))
    is_spectral = normalization == "spectral"
    heads = Heads(classes, code_categories, code_continuous, features, keras.initializers.GlorotUniform, is_spectral)

    sample = keras.Input(tuple(sample_shape), name="sample")
    given = conditions.condition_input(condition)
    x = layers.Flatten(name="flatten")(sample) if len(sample_shape) > 1 else sample
    x = conditions.enter_discriminator(x, given, condition, conditioning)
    for index, count in enumerate(units):
        x = spectral(layers.Dense(count, name=f"dense_{index}"), is_spectral)(x)
        x = normalise(x, normalization, f"norm_{index}")
        x = layers.LeakyReLU(0.2, name=f"leaky_{index}")(x)
    outputs = heads.outputs(x, given, condition, conditioning)
    return keras.Model(conditions.join_inputs("sample", sample, given), outputs, name=name)


def _check(sample_shape: Sequence[int], units: Sequence[int]) -> None:
    check_sizes(sample_shape)
    if not sample_shape or any(side < 1 for side in sample_shape):
        raise InputError(f"A sample_shape holds positive numbers. Received: {tuple(sample_shape)}.")
    if not units or any(count < 1 for count in units):
        raise InputError(f"units holds a positive number for each hidden layer. Received: {tuple(units)}.")
