"""Gradients of a discriminator's score in its samples, and what stands in the way of differentiating them again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from kmatgen.adversarial.means import sample_mean
from kmatgen.adversarial.round import Outputs
from kmatgen.errors import InputError

# Lifts float16 gradients out of the range where they round to zero (trap 8). A power of two, so that float32 results
# keep their last bit; no larger, since single entries of a gradient beyond 65504 / 256 would overflow.
_GRADIENT_SCALE = 256.0


def squared_gradient_norms(discriminate: Callable[[Any], Outputs], sample: Any) -> tf.Tensor:
    """Squared norm of each sample's gradient of its score, joint over all fields, `(batch,)` in float32.

    The score of a patch discriminator is the mean over its patches, as in the losses.

    Args:
        discriminate: Samples to the discriminator's outputs, such as `Round.discriminate`.
        sample: A tensor, or a dict of tensors, of floats; a field that the score ignores counts as zero.
    """
    fields = keras.tree.flatten(sample)
    with tf.GradientTape() as tape:
        tape.watch(fields)
        # One sample's gradient of the sum over the batch is the gradient of its own score.
        total = _GRADIENT_SCALE * tf.reduce_sum(sample_mean(discriminate(sample)["score"]))
    gradients = tape.gradient(total, fields, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    unscaled = [tf.cast(gradient, tf.float32) / _GRADIENT_SCALE for gradient in gradients]
    return tf.add_n([_sum_within_samples(tf.square(gradient)) for gradient in unscaled])


def interpolate(real: Any, fake: Any, seed: tf.Tensor) -> Any:
    """Random points between real and fake samples, one uniform fraction a sample, the same for all its fields."""
    batch = tf.shape(keras.tree.flatten(real)[0])[0]
    fraction = tf.random.stateless_uniform((batch,), seed)

    def between(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
        share = tf.reshape(fraction, [-1] + [1] * (one.shape.rank - 1))
        return share * one + (1.0 - share) * other

    return keras.tree.map_structure(between, real, fake)


def check_twice_differentiable(owner: str, discriminator: keras.Model) -> None:
    """Refuse a discriminator with layers whose second derivative TensorFlow gets wrong or lacks (trap 10).

    Args:
        owner: Name of the term that needs it, for the message.
        discriminator: The discriminator.

    Raises:
        InputError: There is such a layer: any resampling other than `UpSampling2D` by nearest neighbours.
    """
    for operation in operations(discriminator):
        repeats = isinstance(operation, keras.layers.UpSampling2D) and operation.interpolation == "nearest"
        if hasattr(operation, "interpolation") and not repeats:
            raise InputError(
                f"{owner} needs second derivatives, which are wrong or missing through the layer {operation.name!r}; "
                "UpSampling2D with interpolation='nearest', Conv2DTranspose, strides and AveragePooling2D work. "
                f"Received: {type(operation).__name__} with interpolation={operation.interpolation!r}."
            )


def check_no_batch_normalization(owner: str, discriminator: keras.Model) -> None:
    """Refuse batch normalisation, which makes a sample's score depend on the other samples.

    Raises:
        InputError: There is such a layer.
    """
    for layer in operations(discriminator):
        if isinstance(layer, keras.layers.BatchNormalization):
            raise InputError(
                f"{owner} needs a score that depends on one sample alone; use LayerNormalization or "
                "GroupNormalization in the discriminator instead of batch normalisation. "
                f"Received: the layer {layer.name!r}."
            )


def operations(network: keras.Model) -> Iterator[keras.Operation]:
    """All layers and functional operations of a network, those of nested models and composite layers too."""
    # Keras has no public way into a layer that holds layers; operations such as keras.ops.image.resize are no
    # layers and are listed only by the model that calls them.
    for layer in network._flatten_layers():
        yield from getattr(layer, "operations", [layer])


def _sum_within_samples(values: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.reshape(values, (tf.shape(values)[0], -1)), axis=1)
