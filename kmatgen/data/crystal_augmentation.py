"""The same crystal told differently: what symmetry leaves free, drawn anew in every pass over the data."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from kmatgen.data.pipeline import map_with_draws
from kmatgen.errors import InputError

# Fields that have a row for each site; others, such as the lattice, are the same for every order and origin.
SITE_FIELDS = ("species", "coords", "mask")
_PERMUTE, _SHIFT = np.int64([0, 0]), np.int64([0, 1])  # so that the draws of one sample differ


def augmented_crystals(
    samples: tf.data.Dataset,
    *,
    permute: bool = True,
    shift: bool = True,
    period: float | np.ndarray = 1.0,
    seed: int = 0,
    first_epoch: int = 0,
) -> tf.data.Dataset:
    """Permute the sites of crystals and move their origins, at random and anew in every pass.

    For models that take sites as a set in a periodic cell. Where sites have roles, as in a point cloud whitened for
    each site, both would destroy what the order means.

    Args:
        samples: Single crystals as dicts of fields, or tuples of such dicts (fields, conditions). `coords` is
            `(sites, 3)`, `species` is `(sites,)` or `(sites, features)`, `mask` `(sites,)` is 1 where there is a site
            and 0 after the last one; without it all rows are sites.
        permute: Bring the sites into a random order; rows without a site stay last.
        shift: Move all sites by one random vector, uniform over the cell.
        period: Length of a cell edge on the scale of `coords`, a number or `(sites, 3)`, as `PointCloud.period`; 0 for
            dimensions in which nothing moves. Moved coordinates are wrapped into [-period / 2, period / 2), or
            into [0, 1) where the period is 1, the scale of a `CrystalTable`.
        seed: Another seed, other draws.
        first_epoch: Number of passes already seen by a run that is resumed.

    Returns:
        A dataset of the same structure and length.

    Raises:
        InputError: Samples have no `coords`, or the period does not fit them.
    """
    spec = _fields(samples.element_spec)
    if "coords" not in spec or spec["coords"].shape.rank != 2:
        raise InputError(f"Crystals to be augmented have coords of shape (sites, 3). Received: {spec}.")
    period = _checked_period(period, spec["coords"].shape)

    def change(sample: Any, key: tf.Tensor) -> Any:
        fields = _fields(sample)
        if shift:
            fields = {**fields, "coords": _shifted(fields, period, key + _SHIFT)}
        if permute:
            fields = _permuted(fields, key + _PERMUTE)
        return _like(sample, fields)

    changed = map_with_draws(samples, change, seed, first_epoch, num_parallel_calls=tf.data.AUTOTUNE)
    return changed.apply(tf.data.experimental.assert_cardinality(samples.cardinality()))


def _fields(sample: Any) -> dict[str, Any]:
    """All fields of a sample in one dict."""
    parts = sample if isinstance(sample, tuple) else (sample,)
    return {name: value for part in parts if isinstance(part, dict) for name, value in part.items()}


def _like(sample: Any, fields: dict[str, tf.Tensor]) -> Any:
    """The fields in the structure of the sample that they were taken from."""
    if isinstance(sample, dict):
        return {name: fields[name] for name in sample}
    return tuple(_like(part, fields) if isinstance(part, dict) else part for part in sample)


def _checked_period(period: float | np.ndarray, shape: tf.TensorShape) -> np.ndarray:
    period = np.asarray(period, np.float32)
    try:
        period = np.broadcast_to(period, shape)
    except ValueError as error:
        raise InputError(f"A period is a number or of shape {tuple(shape)}. Received: {period.shape}.") from error
    if not ((period >= 0).all() and (period > 0).any()):
        raise InputError(f"A period is the length of a cell edge, above 0. Received: {period.min()}.")
    return period


def _shifted(fields: dict[str, tf.Tensor], period: np.ndarray, key: tf.Tensor) -> tf.Tensor:
    coords = fields["coords"]
    vector = tf.random.stateless_uniform((1, 3), key, dtype=coords.dtype)
    length = tf.cast(period, coords.dtype)
    moved = coords + vector * length
    start = 0.0 if (period == 1.0).all() else -0.5
    moved -= length * tf.floor(tf.math.divide_no_nan(moved, length) - start)
    return tf.where(_is_site(fields)[:, None], moved, coords)


def _permuted(fields: dict[str, tf.Tensor], key: tf.Tensor) -> dict[str, tf.Tensor]:
    place = tf.random.stateless_uniform(tf.shape(fields["coords"])[:1], key)
    order = tf.argsort(tf.where(_is_site(fields), place, 2.0 + tf.zeros_like(place)), stable=True)
    return {name: tf.gather(value, order) if name in SITE_FIELDS else value for name, value in fields.items()}


def _is_site(fields: dict[str, tf.Tensor]) -> tf.Tensor:
    if "mask" in fields:
        return tf.cast(fields["mask"], tf.float32) > 0.5
    return tf.ones(tf.shape(fields["coords"])[:1], tf.bool)
