import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_array_equal

import kmatgen as kg
from kmatgen.layers import SpectralNormalization
from kmatgen.networks import mlp_discriminator, mlp_generator

MNIST = (28, 28, 1)


def test_textbook_parameter_counts():
    """One hidden layer of 100 between 100 numbers of noise and 784 pixels, by hand."""
    assert mlp_generator(MNIST).count_params() == (100 * 100 + 100) + (100 * 784 + 784)
    assert mlp_discriminator(MNIST).count_params() == (784 * 100 + 100) + (100 * 1 + 1)
    assert mlp_discriminator((2,), (16, 8)).count_params() == (2 * 16 + 16) + (16 * 8 + 8) + (8 + 1)


@pytest.mark.parametrize("shape", [(2,), (12, 1), (5, 7, 3), (4, 4, 4, 2)])
def test_any_shape(rng, shape):
    generator = mlp_generator(shape, 6, (8, 9), output_activation="linear")
    fake = generator(rng.normal(size=(3, 6)).astype(np.float32))
    assert tuple(fake.shape) == (3, *shape)
    outputs = mlp_discriminator(shape, (8,), features=True)(fake)
    assert {name: tuple(value.shape) for name, value in outputs.items()} == {"score": (3, 1), "features": (3, 8)}


def test_known_numbers():
    """All weights 0.5 and biases 0: leaky relu of 0.5 (1 - 3) = -1 is -0.2, halved."""
    discriminator = mlp_discriminator((2,), (1,))
    discriminator.set_weights([np.full(w.shape, 0.5 if w.ndim == 2 else 0.0) for w in discriminator.get_weights()])
    score = discriminator(np.array([[1.0, -3.0], [1.0, 3.0]], np.float32))["score"]
    np.testing.assert_allclose(score, [[-0.1], [1.0]], rtol=1e-6)


@pytest.mark.parametrize("normalization", ["batch", "layer", None])
def test_generator_normalizations(rng, normalization):
    generator = mlp_generator((4,), 6, (8,), normalization=normalization, output_activation="linear")
    noise = rng.normal(5, 2, (64, 6)).astype(np.float32)
    assert tuple(generator(noise, training=True).shape) == (64, 4)
    extra = 0 if normalization is None else 16
    assert sum(int(np.prod(w.shape)) for w in generator.trainable_weights) == 6 * 8 + 8 + extra + 8 * 4 + 4


@pytest.mark.parametrize("normalization", ["batch", "layer", "spectral", None])
def test_discriminator_normalizations(rng, normalization):
    discriminator = mlp_discriminator((4,), (8, 8), normalization)
    wrapped = [layer for layer in discriminator.layers if isinstance(layer, SpectralNormalization)]
    assert len(wrapped) == (3 if normalization == "spectral" else 0)
    assert tuple(discriminator(np.ones((3, 4), np.float32))["score"].shape) == (3, 1)


@pytest.mark.parametrize("condition", [{"classes": 3}, {"size": 2}])
@pytest.mark.parametrize("way", ["concatenate", "conditional_normalization"])
def test_generator_condition(rng, condition, way):
    generator = mlp_generator((4,), 6, (8,), "tanh", condition=condition, conditioning=way)
    assert set(generator.input) == {"noise", "condition"}
    generator.set_weights([rng.uniform(0.1, 1, weight.shape) for weight in generator.get_weights()])
    noise = np.repeat(rng.normal(size=(1, 6)), 2, axis=0)
    given = np.array([0, 2]) if "classes" in condition else np.array([[0.0, 1.0], [2.0, -1.0]])
    first, second = generator({"noise": noise, "condition": given}).numpy()
    assert np.abs(first - second).max() > 1e-3


@pytest.mark.parametrize("condition", [{"classes": 3}, {"size": 2}])
@pytest.mark.parametrize("way", ["concatenate", "projection"])
@pytest.mark.parametrize("normalization", ["spectral", None])
def test_discriminator_condition(rng, condition, way, normalization):
    discriminator = mlp_discriminator((4,), (8,), normalization, condition=condition, conditioning=way)
    assert set(discriminator.input) == {"sample", "condition"}
    sample = np.repeat(rng.normal(size=(1, 4)), 2, axis=0)
    given = np.array([0, 2]) if "classes" in condition else np.array([[0.0, 1.0], [2.0, -1.0]])
    first, second = discriminator({"sample": sample, "condition": given})["score"].numpy()
    assert abs(first - second) > 1e-3


def test_projection_adds_an_inner_product(rng):
    arguments = {"units": (8,), "condition": {"size": 2}, "conditioning": "projection", "features": True}
    discriminator = mlp_discriminator((4,), **arguments)
    sample, given = rng.normal(size=(3, 4)).astype(np.float32), rng.normal(size=(3, 2)).astype(np.float32)
    outputs = discriminator({"sample": sample, "condition": given})
    features = outputs["features"].numpy()
    kernel, bias = discriminator.get_layer("score").get_weights()
    projected = given @ discriminator.get_layer("projection").get_weights()[0]
    expected = features @ kernel + bias + np.sum(projected * features, axis=1, keepdims=True)
    np.testing.assert_allclose(outputs["score"], expected, rtol=1e-4, atol=1e-5)


def test_heads():
    discriminator = mlp_discriminator((4,), (8,), classes=3, code_categories=10, code_continuous=2)
    shapes = {name: tuple(value.shape) for name, value in discriminator(np.ones((5, 4), np.float32)).items()}
    assert shapes == {"score": (5, 1), "class_logits": (5, 3), "code_logits": (5, 10), "code_mean": (5, 2)}


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "softmax"])
def test_output_ranges(rng, activation):
    x = mlp_generator((6, 6, 3), 4, output_activation=activation)(rng.normal(size=(8, 4)) * 100).numpy()
    if activation == "softmax":
        np.testing.assert_allclose(x.sum(-1), 1, rtol=1e-5)
    assert x.min() >= (-1 if activation == "tanh" else 0)
    assert x.max() <= 1
    assert (x.min() < -0.9) == (activation == "tanh")


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision(policy):
    keras.config.set_dtype_policy(policy)
    generator = mlp_generator((4,), 6, condition={"classes": 3})
    discriminator = mlp_discriminator(
        (4,), normalization="spectral", condition={"classes": 3}, classes=3, features=True
    )
    ids = tf.constant([0, 1])
    fake = generator({"noise": tf.ones((2, 6)), "condition": ids})
    outputs = discriminator({"sample": fake, "condition": ids})
    assert {value.dtype.name for value in [fake, *outputs.values()]} == {"float32"}


def test_save_and_load(rng, tmp_path):
    condition = {"condition": {"size": 2}}
    generator = mlp_generator((4,), 6, conditioning="conditional_normalization", **condition)
    discriminator = mlp_discriminator((4,), normalization="spectral", conditioning="projection", **condition)
    inputs = {"noise": rng.normal(size=(3, 6)), "sample": rng.normal(size=(3, 4)), "condition": rng.normal(size=(3, 2))}
    for network, keys in ((generator, ("noise", "condition")), (discriminator, ("sample", "condition"))):
        network.save(tmp_path / "network.keras")
        loaded = kg.load_model(tmp_path / "network.keras")
        given = {key: inputs[key].astype(np.float32) for key in keys}
        before, after = network(given), loaded(given)
        for one, other in zip(keras.tree.flatten(before), keras.tree.flatten(after), strict=True):
            assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("builder", "arguments", "message"),
    [
        (mlp_generator, {"sample_shape": ()}, r"sample_shape.*Received: \(\)"),
        (mlp_generator, {"sample_shape": (4, 0)}, r"sample_shape.*Received: \(4, 0\)"),
        (mlp_generator, {"latent_dim": 0}, "latent_dim.*Received: 0"),
        (mlp_generator, {"units": ()}, r"units.*Received: \(\)"),
        (mlp_generator, {"output_activation": "relu"}, "output_activation.*Received: 'relu'"),
        (mlp_generator, {"sample_shape": (4, 1), "output_activation": "softmax"}, r"softmax.*Received: \(4, 1\)"),
        (mlp_generator, {"normalization": "spectral"}, "normalization.*Received: 'spectral'"),
        (mlp_generator, {"conditioning": "projection"}, "conditioning.*Received: 'projection'"),
        (mlp_generator, {"conditioning": "conditional_normalization"}, "needs a condition.*Received: condition=None"),
        (mlp_generator, {"condition": {"classes": 0}}, r"condition is.*Received: \{'classes': 0\}"),
        (mlp_generator, {"condition": {"label": 3}}, r"condition is.*Received: \{'label': 3\}"),
        (mlp_generator, {"condition": 10}, "condition is.*Received: 10"),
        (mlp_discriminator, {"units": (0,)}, r"units.*Received: \(0,\)"),
        (mlp_discriminator, {"normalization": "instance"}, "normalization.*Received: 'instance'"),
        (mlp_discriminator, {"conditioning": "projection"}, "needs a condition.*Received: condition=None"),
        (mlp_discriminator, {"classes": 0}, "at least 1 output. Received: 0 for class_logits"),
    ],
)
def test_bad_arguments(builder, arguments, message):
    with pytest.raises(kg.InputError, match=message):
        builder(**{"sample_shape": (4,), **arguments})
