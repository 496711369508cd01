"""Networks without weights between images in [0, 1] and the scale on which diffusion adds noise, [-1, 1]."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers


def image_encoder(sample_shape: Sequence[int], name: str = "encoder") -> keras.Model:
    """Images from [0, 1] to [-1, 1], float32."""
    image = keras.Input(tuple(sample_shape), name="image")
    return keras.Model(image, layers.Rescaling(2.0, -1.0, dtype="float32", name="sample")(image), name=name)


def image_decoder(sample_shape: Sequence[int], name: str = "decoder") -> keras.Model:
    """Images from [-1, 1] to [0, 1], clipped to it, float32."""
    sample = keras.Input(tuple(sample_shape), name="sample")
    # Keras' hard sigmoid is x / 6 + 1/2, clipped.
    scaled = layers.Rescaling(3.0, dtype="float32", name="scaled")(sample)
    return keras.Model(sample, layers.Activation("hard_sigmoid", dtype="float32", name="image")(scaled), name=name)
