"""What the lattice field of a point cloud means in space, as a Keras layer for networks that measure distances."""

from __future__ import annotations

import keras
import tensorflow as tf

from kmatgen.registry import register
from kmatgen.representations.point_cloud_decoder import PointCloudDecoder


@register("layer")
class CellMetric(PointCloudDecoder):
    """The lattice in training scale to the metric tensor of the cell in square Angstrom.

    Args:
        representation: A fitted `PointCloud`, or its serialised form. Saved with the layer.
        **kwargs: As for any Keras layer. Computes in float32 whatever the policy.

    Call with a dict of `mask` `(n, sites)` and `lattice` `(n, 6)`, which may be left out where nothing varies in it;
    returns `(n, 3, 3)`.
    """

    def call(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        mask = tf.cast(tf.cast(inputs["mask"], tf.float32) > 0.5, tf.float32)
        lattice = inputs.get("lattice", tf.zeros([tf.shape(mask)[0], 6]))
        return tf.cast(self.metric(tf.cast(lattice, tf.float32), mask), tf.float32)

    def compute_output_spec(self, inputs: dict[str, keras.KerasTensor]) -> keras.KerasTensor:
        return keras.KerasTensor((inputs["mask"].shape[0], 3, 3), "float32")
