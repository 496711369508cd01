"""The decoder of a representation as a Keras layer, so that an exported model answers in physical units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from kmatgen.registry import register
from kmatgen.representations.base import Representation


@register("layer")
class Decoder(keras.layers.Layer):
    """Arrays of a representation to crystals in physical units.

    Args:
        representation: A fitted representation that has `decode_tensors`, or its serialised form. Saved with the layer.
        **kwargs: As for any Keras layer. Computes in float32 whatever the policy.

    Call with the arrays; returns what `decode_tensors` of the representation does.
    """

    def __init__(self, representation: Representation | Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        if isinstance(representation, Mapping):
            representation = keras.saving.deserialize_keras_object(representation)
        representation.check_fitted()
        self.representation = representation
        self.built = True

    def call(self, inputs: tf.Tensor | dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return self.representation.decode_tensors(inputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "representation": keras.saving.serialize_keras_object(self.representation)}
