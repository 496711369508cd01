"""The decoder of `PointCloud` as a Keras layer, so that an exported model answers in physical units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from kmatgen.registry import register
from kmatgen.representations.lattice_code import decode_lattice, metric_tensor
from kmatgen.representations.point_cloud import PointCloud
from kmatgen.representations.site_rows import into_cell


@register("layer")
class PointCloudDecoder(keras.layers.Layer):
    """Fields of `PointCloud` in training scale to a crystal in physical units.

    Args:
        representation: A fitted `PointCloud`, or its serialised form. Saved with the layer.
        **kwargs: As for any Keras layer. Computes in float32 whatever the policy.

    Call with a dict of `lattice` `(n, 6)`, `species` `(n, sites, F)`, `coords` `(n, sites, 3)` and `mask`
    `(n, sites)`; a field in which nothing varies may be left out. Returns `lattice` (a, b, c in Angstrom, alpha, beta,
    gamma in degrees), `species` (int32 atomic numbers), `coords` (fractional, in [0, 1)) and `mask` (float32), 0 where
    the mask is at most 1/2.
    """

    def __init__(self, representation: PointCloud | Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        if isinstance(representation, Mapping):
            representation = keras.saving.deserialize_keras_object(representation)
        representation.check_fitted()
        self.representation = representation
        self.built = True

    def call(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        fields = {name: tf.cast(values, tf.float32) for name, values in inputs.items()}
        n, shapes = tf.shape(fields["mask"])[0], self.representation.shapes
        fields |= {name: tf.zeros([n, *shapes[name]]) for name in shapes if name not in fields}
        present = fields["mask"] > 0.5
        mask = tf.cast(present, tf.float32)
        return {
            "lattice": decode_lattice(*self._lattice_code(fields["lattice"], mask)),
            "species": tf.where(present, self._nearest_element(fields["species"]), 0),
            "coords": self._coords(fields["coords"]) * mask[..., None],
            "mask": mask,
        }

    def metric(self, lattice: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """The metric tensor of the cell, see `kmatgen.representations.lattice_code.metric_tensor`."""
        return metric_tensor(*self._lattice_code(lattice, mask))

    def _lattice_code(self, lattice: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, str]:
        values = tf.matmul(lattice * self._constant("lattice_scale"), self._constant("lattice_axes"), transpose_b=True)
        values += self._constant("lattice_mean")
        return values, tf.reduce_sum(mask, axis=1, keepdims=True), self.representation.lattice

    def _nearest_element(self, species: tf.Tensor) -> tf.Tensor:
        codes = self._constant("codes")
        values = species * self._constant("species_scale") + self._constant("species_mean")
        # Squared distance without the part that all elements share.
        distance = tf.reduce_sum(tf.square(codes), axis=1) - 2 * tf.einsum("nsf,ef->nse", values, codes)
        distance += tf.where(self._constant("allowed", tf.bool), 0.0, float("inf"))
        return tf.gather(self._constant("numbers", tf.int32), tf.argmin(distance, axis=-1))

    def _coords(self, coords: tf.Tensor) -> tf.Tensor:
        return into_cell(coords * self._constant("coords_scale") + self._constant("coords_mean"))

    def _constant(self, name: str, dtype: tf.DType = tf.float32) -> tf.Tensor:
        return tf.constant(self.representation.constants[name], dtype)

    def compute_output_spec(self, inputs: dict[str, keras.KerasTensor]) -> dict[str, keras.KerasTensor]:
        n, shapes = next(iter(inputs.values())).shape[0], self.representation.shapes
        outputs = {name: keras.KerasTensor((n, *shapes[name]), "float32") for name in ("lattice", "coords", "mask")}
        return {**outputs, "species": keras.KerasTensor((n, *shapes["mask"]), "int32")}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "representation": keras.saving.serialize_keras_object(self.representation)}
