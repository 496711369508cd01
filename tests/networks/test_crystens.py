from itertools import pairwise

import keras
import numpy as np
import pytest
from numpy.testing import assert_array_equal

import kmatgen as kg
from kmatgen.layers import SpectralNormalization
from kmatgen.networks import crystens_critic, crystens_gan_discriminator, crystens_gan_generator, crystens_generator

SMALLEST = (42, 42, 4)
PAIRS = [(crystens_generator, crystens_critic), (crystens_gan_generator, crystens_gan_discriminator)]


def kernels_and_biases(network):
    """Number of weights that are not of normalisations."""
    inner = [getattr(layer, "layer", layer) for layer in network.layers]
    weighted = [layer for layer in inner if hasattr(layer, "kernel")]
    return sum(int(np.prod(weight.shape)) for layer in weighted for weight in layer.trainable_weights)


def dense_weights(*units):
    return sum((one + 1) * other for one, other in pairwise(units))


def conv_weights(filters, sizes):
    pairs = zip(pairwise([1, *filters]), sizes, strict=True)
    return sum((one * size + 1) * other for (one, other), size in pairs)


def test_published_parameter_counts_of_the_wgan():
    """The paper says 1.06 M and 0.51 M; by hand."""
    filters, critic_filters = [128, 128, 64, 64, 32, 32, 32, 32, 32], [16] * 6 + [32] * 3 + [64, 64, 128]
    generator = dense_weights(128, 1024) + conv_weights(filters, [27] * 8 + [8]) + 32 * 10 + 1
    critic = conv_weights(critic_filters, [1, 1] + [9] * 4 + [49] * 4 + [50, 8]) + 3 * 3 * 128 + 1
    assert (generator, critic) == (1_056_993, 507_217)
    assert kernels_and_biases(crystens_generator()) == generator
    assert kernels_and_biases(crystens_critic()) == critic


def test_published_parameter_counts_of_the_gan():
    """The paper says 10.48 M and 21.5 M, normalisations included; by hand."""
    filters = [256, 128, 128, 128, 64, 64, 64, 64, 32]
    units = [484, 484, 784, 784, 784, 1024, 1024, 4096]
    generator = dense_weights(128, 1024) + conv_weights(filters, [27] * 8 + [8]) + 32 * 10 + 1
    generator += dense_weights(128, *units)
    network = crystens_gan_generator()
    assert kernels_and_biases(network) == generator
    assert network.count_params() == generator + 4 * (1024 + sum(filters) + sum(units))
    assert round(network.count_params() / 1e6, 2) == 10.48

    filters = [32] * 4 + [64] * 5 + [128, 256]
    units = [1024] * 4 + [9]
    discriminator = conv_weights(filters, [1] + [9] * 4 + [49] * 4 + [50, 8]) + 3 * 3 * 256 + 1
    discriminator += dense_weights(64 * 64 * 4, *units)
    network = crystens_gan_discriminator()
    assert kernels_and_biases(network) == discriminator
    assert network.count_params() == discriminator + 4 * (sum(filters) + sum(units))
    assert round(network.count_params() / 1e6, 1) == 21.5


@pytest.mark.parametrize(("generator", "discriminator"), PAIRS)
def test_shapes_and_files(rng, tmp_path, generator, discriminator):
    generator, discriminator = generator(SMALLEST, 3, 0.02), discriminator(SMALLEST, 0.02)
    noise = rng.normal(size=(2, 3)).astype(np.float32)
    fake = generator(noise)
    assert tuple(fake.shape) == (2, *SMALLEST)
    assert 0 < fake.numpy().min() < fake.numpy().max() < 1
    score = discriminator(fake)["score"]
    assert tuple(score.shape) == (2, 1)
    for network, given, before in ((generator, noise, fake), (discriminator, fake, score)):
        network.save(tmp_path / "network.keras")
        after = keras.tree.flatten(kg.load_model(tmp_path / "network.keras")(given))[0]
        assert_array_equal(after, before)


def test_every_layer_of_the_wgan_is_spectrally_normalised():
    for network in (crystens_generator(SMALLEST, 3, 0.02), crystens_critic(SMALLEST, 0.02)):
        assert not [layer.name for layer in network.layers if hasattr(layer, "kernel")]
        wrapped = [layer for layer in network.layers if isinstance(layer, SpectralNormalization)]
        assert len(wrapped) == (11 if network.name == "generator" else 13)


@pytest.mark.parametrize("builder", [builder for pair in PAIRS for builder in pair])
@pytest.mark.parametrize("shape", [(40, 40, 4), (43, 43, 4), (64, 42, 4), (64, 64, 3), (64, 4)])
def test_bad_shapes(builder, shape):
    with pytest.raises(kg.InputError, match=r"even side from 42 up. Received: \("):
        builder(shape)


@pytest.mark.parametrize("builder", [builder for pair in PAIRS for builder in pair])
def test_bad_width(builder):
    with pytest.raises(kg.InputError, match="width is a factor above 0. Received: 0"):
        builder(width=0)
