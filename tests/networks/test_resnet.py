import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg
from kmatgen.layers import BatchNormalization, LayerNormalization, SpectralNormalization
from kmatgen.networks import resnet_discriminator, resnet_generator

SHAPES = [(16, 1), (8, 8, 1), (16, 16, 3), (64, 64, 1), (32, 8, 2), (16, 16, 16, 1)]
IDS = np.array([0, 2, 1], np.int32)


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(rng, shape):
    fake = resnet_generator(shape, 5, 2)(rng.normal(size=(2, 5)).astype(np.float32))
    assert tuple(fake.shape) == (2, *shape)
    assert 0 < fake.numpy().min() < fake.numpy().max() < 1
    outputs = resnet_discriminator(shape, 2, features=True, classes=4, code_categories=3, code_continuous=1)(fake)
    features = 2 ** min((min(shape[:-1]) // 4).bit_length() - 1, 4)
    assert {name: tuple(value.shape) for name, value in outputs.items()} == {
        "score": (2, 1),
        "features": (2, features),
        "class_logits": (2, 4),
        "code_logits": (2, 3),
        "code_mean": (2, 1),
    }


def test_parameter_counts():
    """8 x 8 x 1 from 5 numbers with one block of 2 filters, by hand."""
    block = (2 * 2 + 2) + 2 * (9 * 2 * 2 + 2) + 2 * 2 * 2
    generator = resnet_generator((8, 8, 1), 5, 2)
    total = (5 * 32 + 32) + block + 2 * 2 + (9 * 2 + 1)
    assert sum(int(np.prod(w.shape)) for w in generator.trainable_weights) == total
    first = (1 * 2 + 2) + (9 * 1 * 2 + 2) + (9 * 2 * 2 + 2)
    last = 2 * (9 * 2 * 2 + 2)
    assert resnet_discriminator((8, 8, 1), 2).count_params() == first + last + (2 + 1)


def test_halving_block_by_hand(rng):
    """The block's shortcut is the average of x mixed; its branch is switched off by zero kernels."""
    discriminator = resnet_discriminator((16, 16, 1), (2, 3))
    for name in ("block_1_conv_0", "block_1_conv_1"):
        layer = discriminator.get_layer(name)
        layer.set_weights([np.zeros(weight.shape) for weight in layer.get_weights()])
    before, after = (discriminator.get_layer(f"block_{index}_sum").output for index in (0, 1))
    x = rng.normal(size=(2, 8, 8, 2)).astype(np.float32)
    pooled = x.reshape(2, 4, 2, 4, 2, 2).mean((2, 4))
    kernel, _ = discriminator.get_layer("block_1_shortcut").get_weights()
    assert_allclose(keras.Model(before, after)(x), pooled @ kernel[0, 0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("normalization", ["batch", "layer", "spectral", None])
def test_normalizations(rng, normalization):
    discriminator = resnet_discriminator((16, 16, 1), 4, normalization)
    kinds = [type(layer) for layer in discriminator.layers]
    assert kinds.count(BatchNormalization) == 5 * (normalization == "batch")
    assert kinds.count(LayerNormalization) == 5 * (normalization == "layer")
    assert kinds.count(SpectralNormalization) == 9 * (normalization == "spectral")
    x = rng.normal(size=(4, 16, 16, 1)).astype(np.float32)
    together, alone = discriminator(x, training=True)["score"], discriminator(x[:1], training=True)["score"]
    difference = float(np.abs(together[:1] - alone).max() / np.abs(together).max())
    assert (difference > 1e-2) if normalization == "batch" else (difference < 1e-4)


@pytest.mark.parametrize(
    ("shape", "normalization"), [((16, 1), "spectral"), ((8, 8, 1), "layer"), ((8, 8, 8, 1), "spectral")]
)
def test_second_derivatives(rng, shape, normalization):
    """The slope of a gradient penalty against finite differences: pooling and the rest differentiate twice."""

    def smooth(layer):
        # The kinks of a relu would spoil the differences.
        if isinstance(layer, keras.layers.ReLU):
            return keras.layers.Activation("softplus")
        return type(layer).from_config(layer.get_config())

    discriminator = resnet_discriminator(shape, 2, normalization, periodic=True)
    discriminator = keras.models.clone_model(discriminator, clone_function=smooth)
    x = tf.constant(rng.normal(size=(1, *shape)), tf.float32)

    def penalty(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            score = discriminator(x)["score"]
        return tf.reduce_sum(tape.gradient(score, x) ** 2)

    with tf.GradientTape() as tape:
        tape.watch(x)
        value = penalty(x)
    gradient = tape.gradient(value, x)
    analytic = float(tf.norm(gradient))
    direction = gradient / analytic
    numeric = float(penalty(x + 1e-2 * direction) - penalty(x - 1e-2 * direction)) / 2e-2
    assert_allclose(analytic, numeric, rtol=2e-3)


@pytest.mark.parametrize("spec", [{"classes": 3}, {"size": 2}])
@pytest.mark.parametrize("ways", [("concatenate", "concatenate"), ("conditional_normalization", "projection")])
def test_conditions(rng, spec, ways):
    generator = resnet_generator((8, 8, 1), 5, 2, condition=spec, conditioning=ways[0])
    generator.set_weights([rng.normal(0.2, 0.2, weight.shape) ** 2 for weight in generator.get_weights()])
    discriminator = resnet_discriminator((8, 8, 1), 2, "spectral", condition=spec, conditioning=ways[1])
    noise = np.repeat(rng.normal(size=(1, 5)), 3, axis=0).astype(np.float32)
    sample = np.repeat(rng.normal(size=(1, 8, 8, 1)), 3, axis=0).astype(np.float32)
    given = IDS if "classes" in spec else np.array([[0, 1], [3, -2], [5, 0]], np.float32)
    fake = generator({"noise": noise, "condition": given}).numpy()
    score = discriminator({"sample": sample, "condition": given})["score"].numpy()
    for one, other in ((0, 1), (1, 2)):
        assert np.abs(fake[one] - fake[other]).max() > 1e-5
        assert abs(score[one] - score[other]) > 1e-4


@pytest.mark.parametrize(("shape", "shift"), [((16, 1), (1,)), ((8, 16, 2), (1, 3)), ((8, 8, 8, 1), (1, 0, 2))])
def test_periodic_samples_have_no_seams(rng, shape, shift):
    """Shifted coarsest maps give the shifted sample; the discriminator's score does not see the shift."""
    generator = resnet_generator(shape, 5, 4, output_activation="linear", periodic=True)
    stack = keras.Model(generator.get_layer("base").output, generator.output)
    base = rng.normal(size=(1, *stack.input.shape[1:])).astype(np.float32)
    axes = tuple(range(1, len(shape)))
    factor = min(shape[:-1]) // 4
    sample = stack(base)
    shifted = np.roll(sample, [factor * step for step in shift], axes)
    assert_allclose(stack(np.roll(base, shift, axes)), shifted, atol=1e-5 * np.abs(sample).max())
    discriminator = resnet_discriminator(shape, 4, periodic=True)
    assert_allclose(discriminator(shifted)["score"], discriminator(sample)["score"], rtol=1e-4)
    bordered = resnet_discriminator(shape, 4)
    scores = [float(bordered(x)["score"][0, 0]) for x in (shifted, sample)]
    assert abs(scores[0] - scores[1]) > 1e-3 * abs(scores[1])


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision(rng, policy):
    keras.config.set_dtype_policy(policy)
    generator = resnet_generator((8, 8, 1), 5, 2)
    discriminator = resnet_discriminator((8, 8, 1), 2, "spectral", classes=3, features=True)
    fake = generator(rng.normal(size=(3, 5)).astype(np.float32), training=True)
    outputs = discriminator(fake, training=True)
    assert {value.dtype.name for value in [fake, *outputs.values()]} == {"float32"}
    assert discriminator.get_layer("block_0_sum").output.dtype == policy.removeprefix("mixed_")


def test_save_and_load(rng, tmp_path):
    spec = {"condition": {"classes": 3}, "periodic": True}
    generator = resnet_generator((8, 8, 1), 5, 2, conditioning="conditional_normalization", **spec)
    discriminator = resnet_discriminator((8, 8, 1), 2, "spectral", conditioning="projection", **spec)
    noise, sample = rng.normal(size=(3, 5)).astype(np.float32), rng.random((3, 8, 8, 1), np.float32)
    for network, given in ((generator, {"noise": noise}), (discriminator, {"sample": sample})):
        given["condition"] = IDS
        network.save(tmp_path / "network.keras")
        loaded = kg.load_model(tmp_path / "network.keras")
        before, after = network(given), loaded(given)
        for one, other in zip(keras.tree.flatten(before), keras.tree.flatten(after), strict=True):
            assert_array_equal(one, other)


@pytest.mark.parametrize("builder", [resnet_generator, resnet_discriminator])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sample_shape": (12, 12, 1)}, r"powers of two from 8 up.*Received: \(12, 12, 1\)"),
        ({"filters": (4,)}, r"each of 2 stages. Received: \(4,\)"),
        ({"normalization": "instance"}, "normalization.*Received: 'instance'"),
        ({"conditioning": "film"}, "conditioning.*Received: 'film'"),
    ],
)
def test_bad_arguments(builder, arguments, message):
    with pytest.raises(kg.InputError, match=message):
        builder(**{"sample_shape": (16, 16, 1), **arguments})
