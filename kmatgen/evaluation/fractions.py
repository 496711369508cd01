"""Whether samples have the phase fraction that they were asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from kmatgen.data.opened import Source
    from kmatgen.models.base import GenerativeModel


def follows_fractions(model: GenerativeModel, source: Source) -> bool:
    """Whether the model is asked for phase fractions, and `source` says how they are measured."""
    is_vector = source.condition is not None and "size" in source.condition
    return is_vector and source.threshold is not None and getattr(model, "condition_spec", None) is not None


def asked_and_made(
    model: GenerativeModel, source: Source, n: int = 256, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Ask for the phase fractions of held-out data, and measure what comes.

    Args:
        model: A model that is conditioned on phase fractions.
        source: Where the conditions come from, with the threshold by which they are measured there.
        n: Number of samples.
        seed: Seed of the samples.

    Returns:
        Fractions asked and made, both `(n, channels)`.
    """
    asked = source.example_condition(n)
    samples = model.generate(n, asked, seed=seed)
    inside = tuple(range(1, samples.ndim - 1))
    return asked, (samples > source.threshold).mean(axis=inside)
