"""Padding for maps that continue periodically, as simulation cells do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from kmatgen.errors import InputError
from kmatgen.registry import register

Padding = int | Sequence[int | Sequence[int]]


@register("layer")
class PeriodicPadding(keras.layers.Layer):
    """Pad channels-last maps of 1, 2 or 3 dimensions with what lies on their opposite side.

    A convolution of stride 1 without padding of its own commutes with circular shifts after this layer, so a
    network of such layers makes samples that tile space without seams.

    Args:
        padding: Points added before and after each spatial axis: one number for all sides, or for each axis
            a number or a pair `(before, after)`. May exceed the size of the map, which is then repeated.
        **kwargs: As for any Keras layer.

    Call with `(batch, *sides, channels)`, sides known; returns the same with each side longer by its padding.

    Raises:
        InputError: A padding that is negative or no whole number, or one that does not fit the input.
    """

    def __init__(self, padding: Padding = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = _standardise(padding)

    def build(self, input_shape: Sequence[int | None]) -> None:
        sides = tuple(input_shape[1:-1])
        if not 1 <= len(sides) <= 3 or None in sides:
            raise InputError(
                "PeriodicPadding takes channels-last maps of 1 to 3 dimensions whose sides are known. "
                f"Received: input shape {tuple(input_shape)}."
            )
        if not isinstance(self.padding, int) and len(self.padding) != len(sides):
            raise InputError(
                f"PeriodicPadding needs one padding for each of {len(sides)} axes. Received: {self.padding}."
            )

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        for axis, (before, after) in enumerate(self._pairs(len(inputs.shape) - 2), start=1):
            inputs = _wrap(inputs, before, after, axis)
        return inputs

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        pairs = self._pairs(len(input_shape) - 2)
        sides = (side + sum(pair) for side, pair in zip(input_shape[1:-1], pairs, strict=True))
        return (input_shape[0], *sides, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padding": self.padding}

    def _pairs(self, dimensions: int) -> list[list[int]]:
        return [[self.padding] * 2] * dimensions if isinstance(self.padding, int) else self.padding


def _standardise(padding: Padding) -> int | list[list[int]]:
    """A number as it is, everything else as a list of pairs, which JSON keeps as it is."""
    sides = [padding] if isinstance(padding, int) else padding
    pairs = [list(side) if isinstance(side, Sequence) else [side, side] for side in sides]
    whole = all(len(pair) == 2 and all(isinstance(n, int) and n >= 0 for n in pair) for pair in pairs)
    if not whole or not pairs:
        raise InputError(f"padding is made of whole numbers, none negative. Received: {padding!r}.")
    return padding if isinstance(padding, int) else pairs


def _wrap(x: tf.Tensor, before: int, after: int, axis: int) -> tf.Tensor:
    if before == after == 0:
        return x
    size = x.shape[axis]
    repeats, head = divmod(before, size)
    more, tail = divmod(after, size)
    pieces = [x] * (1 + repeats + more)
    if head:
        pieces.insert(0, _slice(x, size - head, head, axis))
    if tail:
        pieces.append(_slice(x, 0, tail, axis))
    return tf.concat(pieces, axis)


def _slice(x: tf.Tensor, start: int, length: int, axis: int) -> tf.Tensor:
    begin, size = [0] * len(x.shape), [-1] * len(x.shape)
    begin[axis], size[axis] = start, length
    return tf.slice(x, begin, size)
