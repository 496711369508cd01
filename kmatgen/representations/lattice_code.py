"""Lattices as six numbers that may take any value, for the scale of training."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from kmatgen.representations.crystal_table import CrystalTable

CODES = ("metric", "lengths")
# Row and column of the numbers of a symmetric matrix, and their weight: a step is as long as that of the matrix.
_ROWS, _COLUMNS = (0, 1, 2, 1, 0, 0), (0, 1, 2, 2, 2, 1)
_WEIGHTS = np.array([1, 1, 1, 2**0.5, 2**0.5, 2**0.5])


def encode_lattice(table: CrystalTable, code: str) -> np.ndarray:
    """`(n, 6)` numbers for the lattices of crystals, sized for one site.

    Args:
        table: Crystals.
        code: `"metric"`: half the logarithm of the metric tensor a_i . a_j, its diagonal and, times the root of 2, the
            rest. Every six numbers are a cell; the sum of the first three is the logarithm of the volume a site.
            `"lengths"`: logarithms of a, b, c and (angles - 90) / 10; not all angles make a cell.
    """
    size = np.log(np.maximum(table.n_sites, 1))[:, None] / 3
    if code == "lengths":
        return np.concatenate([np.log(table.lattice[:, :3]) - size, (table.lattice[:, 3:] - 90) / 10], axis=1)
    vectors = table.matrix
    values, axes = np.linalg.eigh(vectors @ vectors.swapaxes(1, 2))
    logarithm = (axes * np.log(values)[:, None] / 2) @ axes.swapaxes(1, 2)
    numbers = logarithm[:, _ROWS, _COLUMNS] * _WEIGHTS
    numbers[:, :3] -= size
    return numbers


def decode_lattice(numbers: tf.Tensor, n_sites: tf.Tensor, code: str) -> tf.Tensor:
    """Lengths in Angstrom and angles in degrees `(n, 6)` of `encode_lattice`, float32.

    Args:
        numbers: `(n, 6)`.
        n_sites: `(n, 1)` number of sites.
        code: As for `encode_lattice`.
    """
    if code == "lengths":
        size = tf.math.log(tf.maximum(n_sites, 1.0)) / 3
        return tf.concat([tf.exp(numbers[:, :3] + size), numbers[:, 3:] * 10 + 90], axis=1)
    metric = metric_tensor(numbers, n_sites, code)
    lengths = tf.sqrt(tf.linalg.diag_part(metric))
    cosines = tf.stack([metric[:, i, j] / (lengths[:, i] * lengths[:, j]) for i, j in ((1, 2), (0, 2), (0, 1))], axis=1)
    angles = tf.acos(tf.clip_by_value(cosines, -1.0, 1.0)) * (180 / np.pi)
    return tf.cast(tf.concat([lengths, angles], axis=1), tf.float32)


def metric_tensor(numbers: tf.Tensor, n_sites: tf.Tensor, code: str) -> tf.Tensor:
    """The metric tensor of the cell, the products a_i . a_j in square Angstrom, `(n, 3, 3)` float64.

    Args:
        numbers: `(n, 6)` of `encode_lattice`.
        n_sites: `(n, 1)` number of sites.
        code: As for `encode_lattice`.
    """
    order = [0, 5, 4, 5, 1, 3, 4, 3, 2]
    if code == "lengths":
        parameters = tf.cast(decode_lattice(numbers, n_sites, code), tf.float64)
        lengths = parameters[:, :3]
        cosines = tf.concat([tf.ones_like(lengths), tf.cos(parameters[:, 3:] * (np.pi / 180))], axis=1)
        return lengths[:, :, None] * lengths[:, None, :] * tf.reshape(tf.gather(cosines, order, axis=1), [-1, 3, 3])
    # In float64, since angles near 90 degrees are small differences.
    size = tf.cast(tf.math.log(tf.maximum(n_sites, 1.0)) / 3, tf.float64)
    numbers = tf.cast(numbers, tf.float64) / _WEIGHTS
    diagonal, rest = size + numbers[:, :3], numbers[:, 3:]
    matrix = tf.reshape(tf.gather(tf.concat([diagonal, rest], axis=1), order, axis=1), [-1, 3, 3])
    values, axes = tf.linalg.eigh(matrix)
    # Lengths up to those of a cell of 3,000 Angstrom: pure noise may ask for more.
    return tf.matmul(axes * tf.exp(2 * tf.clip_by_value(values, -8.0, 8.0))[:, None], axes, transpose_b=True)
