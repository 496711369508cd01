import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg
from kmatgen.anomaly.adversarial import frozen_copies
from tests.tiny_models import MODELS, SHAPE, compiled, conv_networks, diffusion_networks, field_vae, images

BATCH = images(6)


@pytest.fixture(scope="module")
def gan():
    """A GAN whose generator is a fixed linear map from three latent dimensions to images."""
    noise = keras.Input((3,))
    generator = keras.Model(noise, keras.layers.Reshape(SHAPE)(keras.layers.Dense(int(np.prod(SHAPE)))(noise)))
    sample = keras.Input(SHAPE)
    features = keras.layers.Dense(5, "tanh", name="penultimate")(keras.layers.Flatten()(sample))
    score = keras.layers.Dense(1, dtype="float32")(features)
    return kg.GAN(generator, keras.Model(sample, {"score": score}), seed=0)


def test_reconstruction():
    vae = compiled(MODELS["vae"])
    found = kg.anomaly_score(vae, BATCH, batch_size=4)
    assert_allclose(found.maps, np.mean((BATCH - vae.reconstruct(BATCH)) ** 2, axis=-1), rtol=1e-5)
    assert_allclose(found.scores, found.maps.mean(axis=(1, 2)), rtol=1e-6)
    assert found.expected.shape == BATCH.shape


def test_the_features_are_what_the_score_is_computed_from(gan):
    generator, features = frozen_copies(gan)
    flat = BATCH.reshape(6, -1)
    kernel, bias = gan.discriminator.get_layer("penultimate").get_weights()
    assert_allclose(features(BATCH), np.tanh(flat @ kernel + bias), rtol=1e-4, atol=1e-5)
    assert generator.trainable_weights == features.trainable_weights == []
    assert gan.generator.trainable_weights  # the GAN itself can go on


def test_search_finds_what_the_generator_can_make(gan):
    latent = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    made = gan.generator(latent).numpy()
    strange = made + np.random.default_rng(1).normal(0, 0.3, made.shape).astype(np.float32)
    known, unknown = (kg.anomaly_score(gan, x, search_steps=300, batch_size=3) for x in (made, strange))
    assert_allclose(known.scores, 0, atol=2e-3)
    assert (unknown.scores > 20 * known.scores).all()
    # The best that three dimensions can do: least squares, as features weigh nothing.
    pixels = kg.anomaly_score(gan, strange, search_steps=300, feature_weight=0.0)
    basis = gan.generator(np.eye(3, dtype=np.float32)).numpy().reshape(3, -1)
    flat = strange.reshape(4, -1)
    left = flat - np.linalg.lstsq(basis.T, flat.T, rcond=None)[0].T @ basis
    assert_allclose(pixels.scores, (left**2).mean(axis=1), rtol=2e-3)


def test_an_encoder_for_a_finished_gan(gan):
    before = [*map(np.copy, gan.get_weights())]
    rng = np.random.default_rng(0)
    made = gan.generator(rng.normal(size=(128, 3)).astype(np.float32)).numpy()
    latent = keras.layers.Dense(3)(keras.layers.Flatten()(image := keras.Input(SHAPE)))
    encoder = kg.anomaly.fit_encoder(
        gan, made, encoder=keras.Model(image, latent), epochs=60, batch_size=32, learning_rate=3e-3
    )
    for was, now in zip(before, gan.get_weights(), strict=True):
        assert_array_equal(now, was)
    normal, other = (kg.anomaly_score(gan, x, encoder=encoder) for x in (made[:8], 2 * images(8)))
    assert normal.scores.max() < 0.2 * other.scores.min()
    assert_allclose(normal.expected, gan.generator(encoder(made[:8])), rtol=1e-5, atol=1e-6)
    # A search from there only comes nearer.
    nearer = kg.anomaly_score(gan, 2 * images(8), encoder=encoder, search_steps=50, learning_rate=0.01)
    assert nearer.scores.mean() < other.scores.mean()


def test_the_default_encoder_fits_the_gan():
    gan = compiled(MODELS["gan"])
    encoder = kg.anomaly.fit_encoder(gan, images(8), epochs=1, batch_size=8)
    assert encoder.output.shape == (None, *gan.latent_spec.shape[1:])


class Oracle(keras.layers.Layer):
    """Says that every image is grey, whatever the noise."""

    def call(self, inputs):
        return tf.zeros_like(inputs)


def test_denoising():
    sample, time = keras.Input(SHAPE, name="sample"), keras.Input((), name="time")
    clean = Oracle()(sample)
    model = kg.Diffusion(keras.Model({"sample": sample, "time": time}, clean), target="sample", seed=0)
    found = kg.anomaly_score(model, BATCH - 0.5, times=(0.3, 0.5), repeats=1)
    # The clean image that it sees is 0: the error is the image itself.
    assert_allclose(found.maps, np.mean((BATCH - 0.5) ** 2, axis=-1), rtol=1e-5)
    again = kg.anomaly_score(model, BATCH - 0.5, times=(0.3, 0.5), repeats=2, batch_size=4)
    assert_allclose(again.scores, found.scores, rtol=1e-5)


def rescaling(*factors):
    image = keras.Input(SHAPE, name="sample")
    return keras.Model(image, keras.layers.Rescaling(*factors)(image))


def test_errors_are_on_the_scale_of_the_images():
    """What turns samples into data units plays no part where images are on the scale of training."""
    networks = conv_networks(True)
    plain, decoded = (kg.VAE(**networks, data_decoder=units, seed=0) for units in (None, rescaling(255.0)))
    assert_allclose(kg.anomaly_score(decoded, BATCH).scores, kg.anomaly_score(plain, BATCH).scores, rtol=1e-6)
    denoiser = diffusion_networks()["denoiser"]
    plain, decoded = (kg.Diffusion(denoiser, None, units, seed=0) for units in (None, rescaling(255.0)))
    assert_allclose(kg.anomaly_score(decoded, BATCH).scores, kg.anomaly_score(plain, BATCH).scores, rtol=1e-6)


@pytest.mark.parametrize("score", [kg.anomaly_score, kg.anomaly.fit_encoder])
def test_an_encoder_that_does_not_fit(gan, score):
    for variational, words in ((True, "2 outputs"), (False, r"\(None, 7\)")):
        encoder = kg.networks.conv_encoder(SHAPE, 7, (4,), variational=variational)
        with pytest.raises(kg.InputError, match=rf"gives latent points \(None, 3\).*gives {words}"):
            score(gan, BATCH, encoder=encoder)


@pytest.mark.parametrize(
    ("make", "options", "words"),
    [
        (lambda: compiled(MODELS["vae"]), {"images": (255 * images(2)).astype(np.uint8)}, "in floats.*of uint8"),
        (field_vae, {}, "by a VAE without conditions"),
        (lambda: compiled(MODELS["vae"]), {"images": images(2)[:, :8]}, r"shape \(16, 16, 1\). Received: \(8, 16, 1\)"),
        (lambda: compiled(MODELS["vae"]), {"images": np.full((2, *SHAPE), np.nan)}, "finite images"),
        (lambda: compiled(MODELS["gan"]), {"search_steps": 0}, "search_steps is at least 1"),
        (lambda: compiled(MODELS["conditional_gan"]), {}, "without conditions"),
        (lambda: keras.Sequential([keras.Input((2,))]), {}, "Received: Sequential"),
    ],
)
def test_what_cannot_be_scored(make, options, words):
    with pytest.raises(kg.InputError, match=words):
        kg.anomaly_score(make(), **{"images": images(2), **options})
