"""Anomalies by a GAN: its generator makes what is normal, so the best that it can make of an anomaly is far from it."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from kmatgen.anomaly.scores import AnomalyScores, check_shape, error_maps
from kmatgen.errors import InputError
from kmatgen.models.gan import GAN
from kmatgen.models.structures import floats_of
from kmatgen.networks.conv import conv_encoder

# From images and latent points to the distance of each, and to what is made of the points.
Distances = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def fit_encoder(
    gan: GAN,
    images: np.ndarray,
    *,
    epochs: int = 20,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    feature_weight: float = 1.0,
    encoder: keras.Model | None = None,
    seed: int = 0,
    verbose: int | str = 0,
) -> keras.Model:
    """Train an encoder so that a finished generator gives images back.

    "izi_f" of f-AnoGAN (Schlegl et al. 2019, equation 5): the mean squared error between an image and its image through
    encoder and generator, plus that of the discriminator's features. Both networks of the GAN stay as they are.

    Args:
        gan: A trained GAN without conditions.
        images: Normal images `(n, height, width, channels)`, such as those that the GAN was trained on.
        epochs: Passes over the images.
        batch_size: Images in a batch.
        learning_rate: Of Adam.
        feature_weight: Weight of the features' error.
        encoder: A functional network from images to latent points. `None`: a convolutional one.
        seed: Of the encoder's weights and the order of the images.
        verbose: As in `keras.Model.fit`.

    Returns:
        The encoder, to be given to `anomaly_score`; it can be saved like any Keras model.

    Raises:
        InputError: The GAN takes conditions, or the images or the encoder do not fit it.
    """
    generator, features = frozen_copies(gan)
    images = floats_of("images", images)
    check_shape(images, features.input.shape[1:])
    keras.utils.set_random_seed(seed)
    if encoder is None:
        encoder = conv_encoder(features.input.shape[1:], gan.latent_spec.shape[-1], (32, 64, 128), variational=False)
    _check_encoder(encoder, gan)
    through = generator(encoder.output)
    model = keras.Model(encoder.input, {"image": through, "features": features(through)})
    model.compile(
        keras.optimizers.Adam(learning_rate),
        loss={"image": "mean_squared_error", "features": "mean_squared_error"},
        loss_weights={"image": 1.0, "features": float(feature_weight)},
    )
    batches = tf.data.Dataset.from_tensor_slices(images).shuffle(len(images), seed=seed).batch(batch_size)
    wanted = batches.map(lambda image: (image, {"image": image, "features": features(image, training=False)}))
    model.fit(wanted.prefetch(tf.data.AUTOTUNE), epochs=epochs, shuffle=False, verbose=verbose)
    return encoder


def score_by_latent(
    gan: GAN,
    images: np.ndarray,
    *,
    encoder: keras.Model | None = None,
    search_steps: int | None = None,
    feature_weight: float = 1.0,
    learning_rate: float = 0.05,
    batch_size: int = 64,
    seed: int = 0,
) -> AnomalyScores:
    """The error of the nearest image that a generator makes: of its pixels, and of the discriminator's features.

    Args:
        gan: A trained GAN without conditions.
        images: `(n, height, width, channels)`.
        encoder: From `fit_encoder`: gives the latent points, or where the search begins.
        search_steps: Steps of Adam on each latent point. `None`: 100 without an encoder, and with one none.
        feature_weight: Weight of the features' error beside that of the pixels.
        learning_rate: Of the search.
        batch_size: Images at a time.
        seed: Of where a search without an encoder begins.

    Raises:
        InputError: The GAN takes conditions, the images or the encoder do not fit it, or there is neither encoder nor
            search.
    """
    generator, features = frozen_copies(gan)
    check_shape(images, features.input.shape[1:])
    if encoder is not None:
        _check_encoder(encoder, gan)
    steps = (100 if encoder is None else 0) if search_steps is None else search_steps
    if steps < 0 or (encoder is None and steps == 0):
        raise InputError(f"Without an encoder, search_steps is at least 1. Received: search_steps={search_steps}.")

    def distances(image: tf.Tensor, latent: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        made = generator(latent, training=False)
        far = features(image, training=False) - features(made, training=False)
        return _mean_square(image - made) + feature_weight * _mean_square(far), made

    @tf.function(reduce_retracing=True)
    def score(image: tf.Tensor, latent: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return distances(image, _searched(image, latent, distances, steps, learning_rate))

    scores, expected = [], []
    for start in range(0, len(images), batch_size):
        batch = tf.constant(images[start : start + batch_size])
        latent = gan.draw_latent(len(batch), tf.constant([seed, start])) if encoder is None else encoder(batch)
        value, made = score(batch, tf.cast(latent, tf.float32))
        scores.append(value.numpy())
        expected.append(made.numpy())
    made = np.concatenate(expected)
    return AnomalyScores(np.concatenate(scores), error_maps(images, made), made)


def frozen_copies(gan: GAN) -> tuple[keras.Model, keras.Model]:
    """The generator, and the discriminator up to its features, as copies that do not learn, with averaged weights.

    Copies, because `trainable = False` on the GAN's own networks would change how it trains on (trap 12). Features are
    the discriminator's output of that name, or else what its score is computed from.

    Raises:
        InputError: The GAN takes conditions.
    """
    if gan.condition_spec is not None:
        raise InputError("Anomalies are scored by a GAN without conditions. Received: one that takes a condition.")
    copies = []
    with gan.averaged_weights():
        for network in (gan.generator, gan.discriminator):
            copy = keras.models.clone_model(network)
            copy.set_weights(network.get_weights())
            copies.append(copy)
    generator, discriminator = copies
    outputs = discriminator.output
    if isinstance(outputs, dict) and "features" in outputs:
        features = outputs["features"]
    else:
        score = outputs["score"] if isinstance(outputs, dict) else outputs
        features = _input_of(score)
    extractor = keras.Model(discriminator.input, keras.layers.Flatten(dtype="float32", name="flat_features")(features))
    generator.trainable = extractor.trainable = False
    return generator, extractor


def _check_encoder(encoder: keras.Model, gan: GAN) -> None:
    latent, wanted = encoder.output, gan.latent_spec.shape
    if not isinstance(latent, keras.KerasTensor) or tuple(latent.shape) != tuple(wanted):
        found = tuple(latent.shape) if isinstance(latent, keras.KerasTensor) else f"{len(latent)} outputs"
        raise InputError(f"An encoder gives latent points {tuple(wanted)}. Received: one that gives {found}.")


def _input_of(score: keras.KerasTensor) -> keras.KerasTensor:
    """What the last layer with weights before a score is given."""
    operation = score._keras_history.operation
    while isinstance(operation.input, keras.KerasTensor):
        if operation.weights:
            return operation.input
        operation = operation.input._keras_history.operation
    raise InputError(
        "This discriminator's score has no one layer before it; build it with features=True. "
        f"Received: a score from {operation.name}."
    )


def _searched(image: tf.Tensor, latent: tf.Tensor, distances: Distances, steps: int, learning_rate: float) -> tf.Tensor:
    """Latent points moved by Adam (Kingma and Ba 2015, algorithm 1) to where the distance is least."""
    first, second = tf.zeros_like(latent), tf.zeros_like(latent)
    for step in tf.range(1, steps + 1):
        with tf.GradientTape() as tape:
            tape.watch(latent)
            total = tf.reduce_sum(distances(image, latent)[0])
        gradient = tape.gradient(total, latent)
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * tf.square(gradient)
        t = tf.cast(step, tf.float32)
        move = (first / (1.0 - 0.9**t)) / (tf.sqrt(second / (1.0 - 0.999**t)) + 1e-8)
        latent -= learning_rate * move
    return latent


def _mean_square(difference: tf.Tensor) -> tf.Tensor:
    """Mean over all axes but the batch."""
    return tf.reduce_mean(tf.square(tf.cast(difference, tf.float32)), axis=tuple(range(1, len(difference.shape))))
