"""What the metrics ask of their arrays, checked in one place and refused in one sentence."""

from __future__ import annotations

from numbers import Real

import numpy as np

from kmatgen.errors import InputError

_LEAST_SIDE = 4


def as_fields(name: str, values: np.ndarray, least: int = 1) -> np.ndarray:
    """Images `(n, height, width)` or volumes `(n, depth, height, width)` in their own type, checked.

    Args:
        name: What to call them in an error.
        values: Numbers, without a channel axis.
        least: The number of samples needed.

    Raises:
        InputError: The shape is another, there are too few samples, or a value is not finite.
    """
    fields = np.asarray(values)
    _check_sides(name, fields)
    _check_numbers(name, fields, least)
    return fields


def as_phases(name: str, values: np.ndarray) -> np.ndarray:
    """Phase or grain labels `(n, height, width)` or `(n, depth, height, width)`, whole numbers from 0, checked.

    Raises:
        InputError: The shape is another, or the values are no whole numbers of at least 0.
    """
    phases = np.asarray(values)
    _check_sides(name, phases)
    if phases.dtype == bool:
        return phases.astype(np.int8)
    if phases.dtype.kind not in "iu" or (phases.size and phases.min() < 0):
        raise InputError(
            f"{name} must be whole numbers from 0, one for each phase; kmatgen.metrics.segment makes them of images. "
            f"Received: dtype {phases.dtype}."
        )
    if len(phases) == 0:
        raise InputError(f"{name} must hold at least 1 sample. Received: 0.")
    return phases


def as_masks(name: str, phases: np.ndarray, phase: int) -> np.ndarray:
    """Where a phase is, as booleans, of the shape of the labels.

    Raises:
        InputError: `phases` are no labels, or no sample holds the phase.
    """
    phases = as_phases(name, phases)
    masks = phases == phase
    if not masks.any():
        found = ", ".join(map(str, np.unique(phases)[:10]))
        raise InputError(f"Phase {phase} must be in at least one of {name}. Received: phases {found}.")
    return masks


def as_images(name: str, values: np.ndarray, least: int = 1) -> np.ndarray:
    """Images `(n, height, width, channels)`, or volumes with a channel axis, in [0, 1] in their own type, checked.

    Raises:
        InputError: The shape is another, there are too few images, or a value is not in [0, 1].
    """
    images = np.asarray(values)
    if images.ndim not in (4, 5):
        raise InputError(
            f"{name} must be images (n, height, width, channels) or volumes (n, depth, height, width, channels). "
            f"Received: shape {images.shape}."
        )
    _check_numbers(name, images, least)
    if images.size and not -1e-3 <= images.min() <= images.max() <= 1.0 + 1e-3:
        raise InputError(
            f"{name} must be in [0, 1]; divide 8-bit images by 255. Received: {images.min():.4g} to {images.max():.4g}."
        )
    return images


def as_features(name: str, values: np.ndarray, least: int = 2) -> np.ndarray:
    """Feature vectors `(n, features)` in float64, checked.

    Raises:
        InputError: The shape is another, there are too few samples, or a value is not finite.
    """
    features = np.asarray(values)
    if features.ndim != 2 or features.shape[1] == 0:
        raise InputError(
            f"{name} must be features (n, features); kmatgen.metrics.feature_extractor makes them of samples. "
            f"Received: shape {features.shape}."
        )
    _check_numbers(name, features, least)
    return features.astype(np.float64, copy=False)


def as_feature_pair(real: np.ndarray, generated: np.ndarray, least: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Real and generated features, each as `as_features`, of the same width."""
    real, generated = as_features("real", real, least), as_features("generated", generated, least)
    if real.shape[1] != generated.shape[1]:
        raise InputError(
            "real and generated must have the same features. "
            f"Received: {real.shape[1]} of real and {generated.shape[1]} of generated."
        )
    return real, generated


def as_values(name: str, values: np.ndarray, least: int = 1) -> np.ndarray:
    """Numbers along one axis in float64, checked."""
    numbers = np.asarray(values)
    if numbers.ndim != 1:
        raise InputError(f"{name} must be numbers along one axis. Received: shape {numbers.shape}.")
    _check_numbers(name, numbers, least)
    return numbers.astype(np.float64, copy=False)


def as_labels(name: str, labels: np.ndarray, count: int) -> np.ndarray:
    """Class labels, one for each of `count` samples."""
    labels = np.asarray(labels)
    if labels.shape != (count,):
        raise InputError(f"{name} must be {count} labels, one a sample. Received: shape {labels.shape}.")
    return labels


def check_same_sides(real: np.ndarray, generated: np.ndarray) -> None:
    """Real and generated samples have the same sides: curves and pixels of others cannot be compared."""
    if real.shape[1:] != generated.shape[1:]:
        raise InputError(
            "real and generated must be of the same size; crop or resize one of them. "
            f"Received: {real.shape[1:]} and {generated.shape[1:]}."
        )


def check_positive(name: str, value: float) -> float:
    """A finite number above 0, as a pixel size has to be."""
    if not isinstance(value, Real) or isinstance(value, bool) or not np.isfinite(value) or value <= 0:
        raise InputError(f"{name} must be a number above 0. Received: {value!r}.")
    return float(value)


def check_axis(axis: int, axes: int) -> int:
    """An axis of a sample, from 0, which may be counted from the end."""
    if axis not in range(-axes, axes):
        raise InputError(f"axis must be one of the {axes} axes of a sample, counted from 0. Received: {axis!r}.")
    return axis % axes


def _check_sides(name: str, values: np.ndarray) -> None:
    if values.ndim not in (3, 4) or min(values.shape[1:]) < _LEAST_SIDE:
        raise InputError(
            f"{name} must be images (n, height, width) or volumes (n, depth, height, width) without a channel axis, "
            f"with sides of at least {_LEAST_SIDE} pixels. Received: shape {values.shape}."
        )


def _check_numbers(name: str, values: np.ndarray, least: int) -> None:
    if len(values) < least:
        raise InputError(f"{name} must hold at least {least} samples. Received: {len(values)}.")
    if values.dtype.kind not in "buif":
        raise InputError(f"{name} must be real numbers. Received: dtype {values.dtype}.")
    bad = ~np.isfinite(values).reshape(len(values), -1).all(axis=1)
    if bad.any():
        raise InputError(
            f"{name} must be finite; leave samples with NaN or infinity out. "
            f"Received: {bad.sum()} of {len(values)} samples with such values, the first at index {bad.argmax()}."
        )
