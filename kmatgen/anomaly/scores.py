"""What an anomaly score is made of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kmatgen.errors import InputError


class AnomalyScores(NamedTuple):
    """Scores of n images.

    Attributes:
        scores: `(n,)`, the higher the less normal.
        maps: `(n, height, width)`: squared error of each pixel, mean over channels.
        expected: `(n, height, width, channels)`: what the model makes of each image; of a diffusion model with the
            least noise.
    """

    scores: np.ndarray
    maps: np.ndarray
    expected: np.ndarray


def error_maps(images: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Squared error of each pixel, mean over channels."""
    return np.mean(np.square(images - expected), axis=-1)


def check_shape(images: np.ndarray, shape: tuple[int | None, ...]) -> None:
    """Make sure that images fit a network.

    Raises:
        InputError: They do not.
    """
    if tuple(images.shape[1:]) != tuple(shape):
        raise InputError(f"This model takes images of shape {tuple(shape)}. Received: {tuple(images.shape[1:])}.")
