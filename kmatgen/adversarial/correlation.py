"""The two-point correlation of images and volumes, differentiable."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from kmatgen.errors import InputError
from kmatgen.metrics.correlation import lags, pair_counts

# Complex transforms throughout: TensorFlow has no gradient for its real three-dimensional one.
_TRANSFORMS = {2: (tf.signal.fft2d, tf.signal.ifft2d), 3: (tf.signal.fft3d, tf.signal.ifft3d)}


def two_point_correlation(images: tf.Tensor, periodic: bool = True) -> tf.Tensor:
    """`S2(r) = <I(x) I(x + r)>`, averaged over positions (Torquato, "Random Heterogeneous Materials", 2002, 2.2).

    For the indicator of a phase it is the probability that both ends of a vector `r` thrown at random lie in
    it: `S2(0)` is the volume fraction, and its square is the limit far out where there is no long-range order.

    Args:
        images: Phase indicator in [0, 1], `(batch, height, width)` or `(batch, depth, height, width)`.
        periodic: Whether the images continue at their opposite edges. If not, the average at `r` is over the pairs
            of pixels that both lie inside.

    Returns:
        The shape of `images`, in float32. Entry `[b, i, j]` belongs to the vector `(i, j)` in pixels; the upper
        half of each axis holds its negative parts, as in `numpy.fft.fftfreq`, so that no part exceeds half the edge.

    Raises:
        InputError: `images` has another number of axes, or an edge whose length is not known.
    """
    edges = tuple(images.shape[1:])
    if len(edges) not in _TRANSFORMS or None in edges:
        raise InputError(
            "The two-point correlation is of a batch of images or volumes of known size, without a channel axis. "
            f"Received: shape {tuple(images.shape)}."
        )
    transform, inverse = _TRANSFORMS[len(edges)]
    # Half an edge of zeros keeps the two ends of a part of the image, at most so far apart, from meeting around it.
    room = [0 if periodic else edge // 2 for edge in edges]
    padded = tf.pad(tf.cast(images, tf.float32), [[0, 0], *([0, more] for more in room)])
    spectrum = transform(tf.cast(padded, tf.complex64))
    power = tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))
    sums = tf.math.real(inverse(tf.cast(power, tf.complex64)))
    if periodic:
        return sums / math.prod(edges)
    for axis, (edge, length) in enumerate(zip(edges, padded.shape[1:], strict=True), start=1):
        sums = tf.gather(sums, lags(edge) % length, axis=axis)
    return sums / pair_counts(edges).astype(np.float32)
