import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg
from kmatgen.layers import BatchNormalization, LayerNormalization, SpectralNormalization
from kmatgen.networks import dcgan_discriminator, dcgan_generator, energy_discriminator

SHAPES = [(8, 1), (64, 2), (8, 8, 1), (16, 16, 3), (64, 64, 1), (8, 32, 2), (16, 16, 16, 1), (8, 16, 8, 2)]
CASES = [*[(shape, False) for shape in SHAPES], ((64, 2), True), ((8, 32, 2), True), ((8, 16, 8, 2), True)]
CONDITIONS = {"classes": np.array([0, 2, 1], np.int32), "size": np.array([[0, 1], [3, -2], [5, 0]], np.float32)}


def given_for(spec):
    return CONDITIONS[next(iter(spec))]


@pytest.mark.parametrize(("shape", "periodic"), CASES)
def test_shapes(rng, shape, periodic):
    generator = dcgan_generator(shape, 5, 2, periodic=periodic)
    discriminator = dcgan_discriminator(shape, 2, periodic=periodic)
    fake = generator(rng.normal(size=(2, 5)).astype(np.float32))
    assert tuple(fake.shape) == (2, *shape)
    assert 0 < fake.numpy().min() < fake.numpy().max() < 1
    assert generator.input.name == "noise"
    assert discriminator.input.name == "sample"
    outputs = discriminator(fake)
    assert {name: tuple(value.shape) for name, value in outputs.items()} == {"score": (2, 1)}


def test_paper_parameter_counts():
    """64 x 64 x 3 from 100 numbers, 1024-512-256-128 filters, as in figure 1 of the paper; by hand."""
    generator = dcgan_generator((64, 64, 3), 100, (1024, 512, 256, 128))
    dense = 100 * 16 * 1024
    convolutions = 16 * (1024 * 512 + 512 * 256 + 256 * 128 + 128 * 3) + 3
    normalisations = 2 * (1024 + 512 + 256 + 128)  # Which also stand for the biases before them.
    assert sum(int(np.prod(w.shape)) for w in generator.trainable_weights) == dense + convolutions + normalisations
    discriminator = dcgan_discriminator((64, 64, 3), (128, 256, 512, 1024))
    convolutions = 16 * (3 * 128 + 128 * 256 + 256 * 512 + 512 * 1024) + 128
    total = convolutions + 2 * (256 + 512 + 1024) + 16 * 1024 + 1
    assert sum(int(np.prod(w.shape)) for w in discriminator.trainable_weights) == total


def test_paper_initialisation():
    network = dcgan_generator((16, 16, 1), 50, 32)
    for name in ("dense", "conv_1"):
        kernel = network.get_layer(name).kernel.numpy()
        assert_allclose(kernel.std(), 0.02, rtol=0.02)
        assert abs(kernel.mean()) < 0.001
    equal_shapes = energy_discriminator((16, 16, 1), filters=(4, 4), normalization=None)
    first, second = equal_shapes.get_layer("down_1").kernel.numpy(), equal_shapes.get_layer("up_1").kernel.numpy()
    assert np.abs(first - second).min() > 0


@pytest.mark.parametrize(("filters", "expected"), [(2, [2, 4, 8, 16, 16]), ((3, 4, 5, 6, 7), [3, 4, 5, 6, 7])])
def test_filters(filters, expected):
    discriminator = dcgan_discriminator((128, 128, 1), filters)
    assert [discriminator.get_layer(f"conv_{index}").filters for index in range(5)] == expected


@pytest.mark.parametrize("normalization", ["batch", "layer", "spectral", None])
def test_discriminator_normalizations(rng, normalization):
    discriminator = dcgan_discriminator((16, 16, 1), 4, normalization)
    kinds = [type(layer) for layer in discriminator.layers]
    assert kinds.count(BatchNormalization) == (normalization == "batch")
    assert kinds.count(LayerNormalization) == (normalization == "layer")
    assert kinds.count(SpectralNormalization) == 3 * (normalization == "spectral")
    x = rng.normal(size=(4, 16, 16, 1)).astype(np.float32)
    together, alone = discriminator(x, training=True)["score"], discriminator(x[:1], training=True)["score"]
    # Only with batch normalisation does a score depend on the other samples: no ground for a gradient penalty.
    difference = float(np.abs(together[:1] - alone).max() / np.abs(together).max())
    assert (difference > 1e-2) if normalization == "batch" else (difference < 1e-4)


@pytest.mark.parametrize("normalization", ["batch", "layer", None])
def test_generator_normalizations(rng, normalization):
    generator = dcgan_generator((8, 16, 1), 5, 2, normalization, output_activation="linear")
    assert np.isfinite(generator(rng.normal(size=(2, 5)).astype(np.float32), training=True)).all()
    kinds = [type(layer) for layer in generator.layers]
    assert kinds.count(BatchNormalization) == (normalization == "batch")
    assert generator.get_layer("dense").use_bias == (normalization is None)


@pytest.mark.parametrize(
    ("shape", "spec", "way"),
    [
        ((16, 1), {"size": 2}, "conditional_normalization"),
        ((8, 8, 1), {"classes": 3}, "conditional_normalization"),
        ((8, 8, 1), {"size": 2}, "concatenate"),
        ((8, 8, 8, 1), {"classes": 3}, "concatenate"),
    ],
)
def test_generator_condition(rng, shape, spec, way):
    generator = dcgan_generator(shape, 5, 2, output_activation="linear", condition=spec, conditioning=way)
    generator.set_weights([rng.normal(0.2, 0.2, weight.shape) ** 2 for weight in generator.get_weights()])
    noise = np.repeat(rng.normal(size=(1, 5)), 3, axis=0).astype(np.float32)
    fake = generator({"noise": noise, "condition": given_for(spec)}).numpy()
    assert np.abs(fake[0] - fake[1]).max() > 1e-5
    assert np.abs(fake[1] - fake[2]).max() > 1e-5


@pytest.mark.parametrize(
    ("shape", "spec", "way"),
    [
        ((16, 1), {"size": 2}, "projection"),
        ((8, 8, 1), {"classes": 3}, "projection"),
        ((8, 8, 1), {"size": 2}, "concatenate"),
        ((8, 8, 8, 1), {"classes": 3}, "concatenate"),
    ],
)
def test_discriminator_condition(rng, shape, spec, way):
    discriminator = dcgan_discriminator(shape, 2, "spectral", condition=spec, conditioning=way)
    sample = np.repeat(rng.normal(size=(1, *shape)), 3, axis=0).astype(np.float32)
    score = discriminator({"sample": sample, "condition": given_for(spec)})["score"].numpy()
    assert abs(score[0] - score[1]) > 1e-4
    assert abs(score[1] - score[2]) > 1e-4


def test_heads(rng):
    heads = {"classes": 3, "code_categories": 10, "code_continuous": 2, "features": True}
    outputs = dcgan_discriminator((16, 8, 1), 4, **heads)(rng.normal(size=(2, 16, 8, 1)).astype(np.float32))
    assert {name: tuple(value.shape) for name, value in outputs.items()} == {
        "score": (2, 1),
        "class_logits": (2, 3),
        "code_logits": (2, 10),
        "code_mean": (2, 2),
        "features": (2, 8 * 4 * 4),
    }


@pytest.mark.parametrize(("shape", "shift"), [((16, 1), (1,)), ((16, 32, 2), (1, 3)), ((8, 8, 16, 1), (1, 0, 2))])
def test_periodic_samples_have_no_seams(rng, shape, shift):
    """Shifted coarsest maps give the shifted sample, border or not."""
    generator = dcgan_generator(shape, 5, 4, output_activation="linear", periodic=True)
    generator.set_weights([rng.normal(0, 1, w.shape) ** (1 + (w.ndim == 1)) for w in generator.get_weights()])
    stack = keras.Model(generator.get_layer("base").output, generator.output)
    base = rng.normal(size=(1, *stack.input.shape[1:])).astype(np.float32)
    axes = tuple(range(1, len(shape)))
    factor = min(shape[:-1]) // 4
    expected = np.roll(stack(base), [factor * step for step in shift], axes)
    actual = stack(np.roll(base, shift, axes))
    assert_allclose(actual, expected, atol=1e-4 * np.abs(expected).max())

    zero_padded = dcgan_generator(shape, 5, 4, output_activation="linear")
    zero_padded.set_weights([rng.normal(0, 1, w.shape) ** (1 + (w.ndim == 1)) for w in zero_padded.get_weights()])
    stack = keras.Model(zero_padded.get_layer("base").output, zero_padded.output)
    expected = np.roll(stack(base), [factor * step for step in shift], axes)
    assert np.abs(stack(np.roll(base, shift, axes)) - expected).max() > 0.1 * np.abs(expected).max()


@pytest.mark.parametrize("shape", [(16, 1), (16, 8, 2), (8, 8, 16, 1)])
def test_periodic_discriminator_sees_no_border(rng, shape):
    discriminator = dcgan_discriminator(shape, 4, None, features=True, periodic=True)
    stages = (min(shape[:-1]) // 4).bit_length() - 1
    maps = keras.Model(discriminator.input, discriminator.get_layer(f"conv_{stages - 1}").output)
    sample = rng.normal(size=(1, *shape)).astype(np.float32)
    axes = tuple(range(1, len(shape)))
    shifted = maps(np.roll(sample, 2**stages, axes))
    assert_allclose(shifted, np.roll(maps(sample), 1, axes), atol=1e-6)


@pytest.mark.parametrize(("policy", "normalization"), [("mixed_float16", "layer"), ("mixed_bfloat16", "spectral")])
def test_half_precision(policy, normalization):
    keras.config.set_dtype_policy(policy)
    generator = dcgan_generator((8, 8, 2), 5, 2, output_activation="softmax", condition={"classes": 3}, periodic=True)
    options = {"condition": {"classes": 3}, "classes": 3, "features": True}
    discriminator = dcgan_discriminator((8, 8, 2), 2, normalization, **options)
    ids = tf.constant(CONDITIONS["classes"])
    fake = generator({"noise": tf.ones((3, 5)), "condition": ids}, training=True)
    outputs = discriminator({"sample": fake, "condition": ids}, training=True)
    assert {value.dtype.name for value in [fake, *outputs.values()]} == {"float32"}
    assert generator.get_layer("base").output.dtype == policy.removeprefix("mixed_")
    assert_allclose(tf.reduce_sum(fake, -1), np.ones((3, 8, 8)), rtol=1e-5)


@pytest.mark.parametrize("way", [("concatenate", "concatenate"), ("conditional_normalization", "projection")])
def test_save_and_load(rng, tmp_path, way):
    spec = {"condition": {"classes": 3}, "periodic": True}
    generator = dcgan_generator((8, 16, 1), 5, 2, conditioning=way[0], **spec)
    discriminator = dcgan_discriminator((8, 16, 1), 2, "spectral", conditioning=way[1], **spec)
    noise, sample = rng.normal(size=(3, 5)).astype(np.float32), rng.random((3, 8, 16, 1), np.float32)
    for network, given in ((generator, {"noise": noise}), (discriminator, {"sample": sample})):
        given["condition"] = CONDITIONS["classes"]
        network.save(tmp_path / "network.keras")
        loaded = kg.load_model(tmp_path / "network.keras")
        before, after = network(given), loaded(given)
        for one, other in zip(keras.tree.flatten(before), keras.tree.flatten(after), strict=True):
            assert_array_equal(one, other)


@pytest.mark.parametrize(("shape", "periodic"), [((16, 1), True), ((8, 16, 2), False), ((8, 8, 8, 1), True)])
def test_energy_is_the_squared_error(rng, shape, periodic):
    network = energy_discriminator(shape, 6, 2, features=True, periodic=periodic)
    sample = rng.random((3, *shape), np.float32)
    outputs = network(sample)
    reconstruction = keras.Model(network.input, network.get_layer("reconstruction").output)(sample).numpy()
    expected = np.mean((sample - reconstruction).reshape(3, -1) ** 2, axis=1, keepdims=True)
    assert_allclose(outputs["score"], expected, rtol=1e-4)
    assert {name: tuple(value.shape) for name, value in outputs.items()} == {"score": (3, 1), "features": (3, 6)}


def test_energy_in_half_precision_and_from_file(rng, tmp_path):
    keras.config.set_dtype_policy("mixed_float16")
    network = energy_discriminator((8, 8, 1), 6, 2)
    sample = rng.random((3, 8, 8, 1), np.float32)
    assert network(sample)["score"].dtype == tf.float32
    network.save(tmp_path / "network.keras")
    assert_array_equal(kg.load_model(tmp_path / "network.keras")(sample)["score"], network(sample)["score"])


@pytest.mark.parametrize("builder", [dcgan_generator, dcgan_discriminator, energy_discriminator])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sample_shape": (12, 12, 1)}, r"powers of two from 8 up.*Received: \(12, 12, 1\)"),
        ({"sample_shape": (4, 8, 1)}, r"Received: \(4, 8, 1\)"),
        ({"sample_shape": (8,)}, r"Received: \(8,\)"),
        ({"sample_shape": (8, 8, 8, 8, 1)}, r"Received: \(8, 8, 8, 8, 1\)"),
        ({"filters": (4,)}, r"each of 2 stages. Received: \(4,\)"),
        ({"filters": 0}, r"filters.*Received: \(0, 0\)"),
        ({"normalization": "instance"}, "normalization.*Received: 'instance'"),
    ],
)
def test_bad_arguments(builder, arguments, message):
    with pytest.raises(kg.InputError, match=message):
        builder(**{"sample_shape": (16, 16, 1), **arguments})
