"""How far the sites of a cell are from each other, in Angstrom, over all their periodic images."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kmatgen.errors import InputError
from kmatgen.registry import register

# Cells around: with wrapped differences all images within half the shortest edge, and mostly one and a half.
_SHIFTS = np.array(list(product((-1, 0, 1), repeat=3)), np.float32)
# Angstrom. Closer sites are as far as this from each other where something is divided by their distance.
_CLOSE = 0.25


@register("layer")
class PeriodicNeighbours(keras.layers.Layer):
    """Radial functions of the distances between sites, and the directions that go with them.

    For every pair of sites, sums over the periodic images m of the second one: `sum_m g_k(d_m) / d_m` with the distance
    `d_m` in Angstrom, and `sum_m g_k(d_m) r_m / d_m` with the difference `r_m` in fractions of the cell. `g_k` are
    Gaussians with `radial` centres from 1/2 Angstrom to `cutoff`, brought to zero at the cutoff. Neither depends on how
    the axes of the cell are labelled or turned; a site is no neighbour of itself, its images are.

    Args:
        radial: Number of radial functions, at least 2.
        cutoff: Distance beyond which sites do not see each other, Angstrom.
        **kwargs: As for any Keras layer. Computes in float32 whatever the policy.

    Call as `layer(coords, metric)` with fractional coordinates `(batch, sites, 3)` and the metric tensor of the cell in
    square Angstrom `(batch, 3, 3)`; returns the sums `(batch, sites, sites, radial)` and the directions
    `(batch, sites, sites, radial, 3)`.

    Raises:
        InputError: There are too few radial functions, or the cutoff is too small.

    Source: Gaussian expansion and smooth cutoff as in Schuett et al. 2017 (SchNet) and Behler and Parrinello 2007.
    """

    def __init__(self, radial: int = 12, cutoff: float = 5.0, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        if radial < 2 or not cutoff > 1:
            raise InputError(
                "PeriodicNeighbours takes at least 2 radial functions and a cutoff above 1 Angstrom. "
                f"Received: radial={radial}, cutoff={cutoff}."
            )
        self.radial = radial
        self.cutoff = float(cutoff)

    def call(self, coords: tf.Tensor, metric: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        sites = tf.shape(coords)[1]
        difference = coords[:, None] - coords[:, :, None]
        difference -= tf.round(difference)
        # The square of |r + s| is r G r + 2 s G r + s G s: no difference for each image has to be held.
        turned = tf.einsum("bijc,bcd->bijd", difference, metric)
        own = tf.reduce_sum(turned * difference, axis=-1, keepdims=True)
        of_shifts = tf.einsum("mc,bcd,md->bm", _SHIFTS, metric, _SHIFTS)
        squares = own + 2 * tf.einsum("bijc,mc->bijm", turned, _SHIFTS) + of_shifts[:, None, None]
        distance = tf.sqrt(tf.maximum(squares, 1e-8))

        inside = 0.5 * (1 + tf.cos(np.pi * tf.minimum(distance / self.cutoff, 1.0)))
        itself = tf.eye(sites)[:, :, None] * (np.abs(_SHIFTS).sum(axis=1) == 0).astype(np.float32)
        # With u counted in widths from the centre in the middle, the j-th Gaussian from there is
        # exp(-(u - j)^2 / 2) = exp(-u^2 / 2) exp(u)^j exp(-j^2 / 2): products instead of one exponential for each, and
        # no array that holds images and functions at once.
        middle, width = self.radial // 2, (self.cutoff - 0.5) / (self.radial - 1)
        u = (tf.minimum(distance, self.cutoff) - 0.5) / width - middle
        near = inside * (1 - itself) / tf.maximum(distance, _CLOSE)
        at_middle, ratio = near * tf.exp(-0.5 * tf.square(u)), tf.exp(u)
        functions = {0: at_middle}
        for j in range(1, self.radial - middle):
            functions[j] = functions[j - 1] * ratio
        for j in range(-1, -middle - 1, -1):
            functions[j] = functions[j + 1] / ratio
        to_sums = np.concatenate([np.ones((len(_SHIFTS), 1), np.float32), _SHIFTS], axis=1)
        summed = [tf.matmul(functions[j], to_sums) * float(np.exp(-0.5 * j**2)) for j in sorted(functions)]
        summed = tf.stack(summed, axis=3)
        sums = summed[..., 0]
        return sums, sums[..., None] * difference[..., None, :] + summed[..., 1:]

    def compute_output_shape(
        self, coords_shape: Sequence[int | None], metric_shape: Sequence[int | None]
    ) -> tuple[tuple[int | None, ...], tuple[int | None, ...]]:
        pairs = (coords_shape[0], coords_shape[1], coords_shape[1], self.radial)
        return pairs, (*pairs, 3)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "radial": self.radial, "cutoff": self.cutoff}
