"""A convolution of an enlarged map, computed on the small one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from kmatgen.errors import InputError
from kmatgen.registry import register


@register("layer")
class UpsampledConv2D(keras.layers.Conv2D):
    """`UpSampling2D(factor)` by nearest neighbours, then `Conv2D(filters, 2, padding="same")`, in one.

    Same numbers and same weights, about half the work. Of a kernel of 2 x 2 on an enlarged map, both columns lie
    in one small pixel or in two neighbours; so do both rows. That makes four kinds of output pixels, and each is a
    convolution of the small map by a kernel in which the rows or columns that meet the same pixel are summed:
    9 products for 4 outputs instead of 16 (for a factor of 2), and the enlarged map is never written.
    (Shi et al., "Is the deconvolution layer the same as a convolutional layer?", 2016, on such equivalences.)

    Args:
        filters: Number of output channels.
        factor: By how much both sides grow, at least 2.
        **kwargs: As for `keras.layers.Conv2D`, without those of kernel, strides, padding, dilation, groups and
            data format.

    Call with `(batch, height, width, channels)`; returns `(batch, factor * height, factor * width, filters)`.
    """

    def __init__(self, filters: int, factor: int = 2, **kwargs: Any) -> None:
        if factor < 2:
            raise InputError(f"UpsampledConv2D enlarges by a factor of at least 2. Received: factor={factor}.")
        super().__init__(filters, 2, padding="same", data_format="channels_last", **kwargs)
        self.factor = factor

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        kernel = tf.convert_to_tensor(self.kernel)
        one_row, one_column = tf.reduce_sum(kernel, 0, keepdims=True), tf.reduce_sum(kernel, 1, keepdims=True)
        inside = self._convolved(inputs, tf.reduce_sum(one_row, 1, keepdims=True))
        right, lower, corner = (self._convolved(inputs, part) for part in (one_row, one_column, kernel))
        # The small pixel becomes factor x factor pixels; the last column and row of them meet a neighbour.
        upper = [*[inside] * (self.factor - 1), right]
        last = [*[lower] * (self.factor - 1), corner]
        return tf.nn.depth_to_space(tf.concat([*upper * (self.factor - 1), *last], -1), self.factor)

    def _convolved(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        outputs = tf.nn.conv2d(inputs, kernel, 1, "SAME")
        if self.use_bias:
            outputs = tf.nn.bias_add(outputs, tf.convert_to_tensor(self.bias))
        return outputs if self.activation is None else self.activation(outputs)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        batch, *sides, _ = input_shape
        return (batch, *(None if side is None else self.factor * side for side in sides), self.filters)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for fixed in ("kernel_size", "strides", "padding", "data_format", "dilation_rate", "groups"):
            del config[fixed]
        return {**config, "factor": self.factor}
