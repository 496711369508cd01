"""Fields: a sample may be a dict of tensors, each corrupted in its own way."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from kmatgen import registry
from kmatgen.diffusion.corruption import Periodic
from kmatgen.errors import InputError
from kmatgen.registry import register


@register("field")
class Field:
    """One tensor of a sample.

    Args:
        corruption: How it is corrupted, an object of `kmatgen.diffusion.corruption` or its name: `"gaussian"`,
            `"periodic"`. `None`: Gaussian with the model's schedule and target.
        mask: Name of the entry of the condition that says where the field exists: 1 there and 0 elsewhere, with the
            field's first axes, such as `(batch, sites)`. Elsewhere there is no loss.

    Raises:
        InputError: There is no such corruption.
    """

    def __init__(self, corruption: Any = None, mask: str | None = None) -> None:
        self.corruption = None if corruption is None else registry.get("corruption", corruption)
        self.mask = mask

    def mask_of(self, condition: Any) -> tf.Tensor | None:
        """Where the field exists, None where it is everywhere."""
        return None if self.mask is None else tf.cast(condition[self.mask], tf.float32)

    def loss(self, error: tf.Tensor, condition: Any, weight: tf.Tensor | float = 1.0) -> tf.Tensor:
        """Mean squared error, over what exists.

        Args:
            error: Prediction minus target `(batch, ...)`, float32.
            condition: Of the batch: a dict that has the mask.
            weight: Of each sample, broadcastable to the error.
        """
        return self.mean(weight * tf.square(error), condition)

    def mean(self, values: tf.Tensor, condition: Any) -> tf.Tensor:
        """Mean over what exists.

        Args:
            values: `(batch, ...)`, float32.
            condition: Of the batch: a dict that has the mask.
        """
        mask = self.mask_of(condition)
        if mask is None:
            return tf.reduce_mean(values)
        mask = tf.reshape(mask, tf.concat([tf.shape(mask), [1] * (len(values.shape) - len(mask.shape))], axis=0))
        mask = tf.broadcast_to(mask, tf.shape(values))
        return tf.reduce_sum(mask * values) / tf.maximum(tf.reduce_sum(mask), 1.0)

    def nearest(self, values: tf.Tensor, to: tf.Tensor) -> tf.Tensor:
        """Of all values that mean the same, those nearest to `to`: of a periodic field whole periods away."""
        return to + self.corruption.shortest(values - to) if isinstance(self.corruption, Periodic) else values

    def get_config(self) -> dict[str, Any]:
        """Arguments to make it again."""
        corruption = None if self.corruption is None else keras.saving.serialize_keras_object(self.corruption)
        return {"corruption": corruption, "mask": self.mask}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Field:
        """From what `get_config` returned."""
        return cls(**config)


def get_fields(fields: Any, names: list[str]) -> dict[str, Field]:
    """The field of every tensor of a sample; those not named are plain.

    Args:
        fields: `None`, one `Field` for a sample that is a tensor, or a dict of fields by name.
        names: Of the sample's tensors.

    Raises:
        InputError: A field is named that the sample does not have.
    """
    if fields is None:
        fields = {}
    is_object = isinstance(fields, dict) and "class_name" in fields
    if not isinstance(fields, dict) or is_object:
        if len(names) != 1:
            raise InputError(f"A sample of {', '.join(names)} takes fields by name. Received: {fields!r}.")
        fields = {names[0]: fields}
    unknown = sorted(set(fields) - set(names))
    if unknown:
        raise InputError(f"The sample has the fields {', '.join(names)}. Received: fields with {unknown[0]!r}.")
    return {name: registry.get("field", fields[name]) if name in fields else Field() for name in names}
