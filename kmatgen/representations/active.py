"""The dimensions of a point cloud that vary, alone: what a model of crystals of one kind has to learn.

Perovskites of five sites have 61 numbers, most of them the same in all crystals. A diffusion spends its noise, and its
loss, only on those that vary; the rest comes back from the representation exactly.
"""

from __future__ import annotations

from math import prod

import keras
import numpy as np
import tensorflow as tf

from kmatgen.errors import InputError
from kmatgen.registry import register
from kmatgen.representations.point_cloud import PointCloud
from kmatgen.representations.point_cloud_decoder import PointCloudDecoder


def active_places(representation: PointCloud) -> dict[str, np.ndarray]:
    """By field, the flat indices of the dimensions that vary; fields in which nothing does are left out."""
    found = {name: np.flatnonzero(active) for name, active in representation.active.items()}
    return {name: places for name, places in found.items() if len(places)}


def active_fields(representation: PointCloud, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The varying dimensions of every field as one vector `(n, k)`.

    Args:
        representation: A fitted point cloud.
        arrays: From its `encode`.

    Raises:
        InputError: Crystals have different numbers of sites, so that no dimension has a meaning of its own.
    """
    counts = np.sum(arrays["mask"], axis=1).astype(int)
    if counts.min() < representation.sites:
        raise InputError(
            "Only crystals that fill all sites can be told by their varying dimensions. "
            f"Received: from {counts.min()} to {counts.max()} of {representation.sites} sites."
        )
    places = active_places(representation)
    return {name: arrays[name].reshape(len(counts), -1)[:, index] for name, index in places.items()}


@register("layer")
class ActiveDecoder(PointCloudDecoder):
    """Varying dimensions to a crystal in physical units.

    Args:
        representation: A fitted `PointCloud`, or its serialised form. Saved with the layer.
        **kwargs: As for any Keras layer. Computes in float32 whatever the policy.

    Call with the dict of `active_fields`; returns what `PointCloudDecoder` does, with all sites there.
    """

    def call(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        n = tf.shape(next(iter(inputs.values())))[0]
        places, shapes = active_places(self.representation), self.representation.shapes
        whole = {name: tf.zeros([n, *shape]) for name, shape in shapes.items()} | {
            "mask": tf.ones([n, *shapes["mask"]])
        }
        for name, index in places.items():
            # Every place takes the number that belongs there, or the zero that is appended.
            source = np.full(prod(shapes[name]), len(index))
            source[index] = np.arange(len(index))
            flat = tf.gather(tf.pad(tf.cast(inputs[name], tf.float32), [[0, 0], [0, 1]]), source, axis=1)
            whole[name] = tf.reshape(flat, [n, *shapes[name]])
        return super().call(whole)


def active_decoder(representation: PointCloud) -> keras.Model:
    """A functional model from `active_fields` to physical units."""
    inputs = {name: keras.Input((len(index),), name=name) for name, index in active_places(representation).items()}
    return keras.Model(inputs, ActiveDecoder(representation)(inputs), name="active_decoder")


def set_decoder(representation: PointCloud) -> keras.Model:
    """A functional model from a `sample` of fields and a `condition` with their `mask` to physical units.

    Fields in which nothing varies are no part of the sample.
    """
    shapes = representation.shapes
    sample = {name: keras.Input(shapes[name], name=name) for name in active_places(representation)}
    mask = keras.Input(shapes["mask"], name="mask")
    decoded = representation.decoder_layer({**sample, "mask": mask})
    return keras.Model({"sample": sample, "condition": {"mask": mask}}, decoded, name="set_decoder")
