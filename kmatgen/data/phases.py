"""Synthetic phase fields in 2 and 3 dimensions: periodic, random, with known fractions and correlation length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from kmatgen.data.ranges import NumberOrRange, check_whole_numbers, is_number, number_range
from kmatgen.errors import InputError


class PhaseFields(NamedTuple):
    """Phase fields and what each holds of every phase.

    Attributes:
        images: Indicators of the phases, 0 or 1, float32: `(n, *sides, 1)` with that of the second of two phases,
            or `(n, *sides, phases)` with one channel a phase.
        fractions: The volume fraction of each channel, counted in its pixels, float32 `(n, channels)`.
    """

    images: np.ndarray
    fractions: np.ndarray


def phase_fields(
    n: int,
    size: int = 64,
    *,
    dimensions: int = 2,
    fractions: NumberOrRange | Sequence[NumberOrRange] = (0.2, 0.6),
    correlation_length: NumberOrRange = 6.0,
    seed: int = 0,
    first: int = 0,
    progress: bool = False,
) -> PhaseFields:
    """Draw phase fields by levelling periodic Gaussian random fields.

    A Gaussian field has the covariance `exp(-r^2 / (2 l^2))`, `l` the correlation length. The second phase is
    where the first field is largest, as many pixels as its fraction asks for; a third phase takes, of what is left,
    where an independent field is largest. So every two phases touch, unlike those cut at several levels of one field.

    Image number i depends on the seed and on i alone: a data set can be made in portions.

    Args:
        n: How many images.
        size: Side of the square or cube in pixels, at least 4.
        dimensions: 2 or 3.
        fractions: Volume fraction of the second phase, a number above 0 or a range (low, high) from which every image
            draws its own, uniformly; for more than two phases a list of ranges, for the second and each further one.
            The first phase has the rest: the upper ends add up to less than 1.
        correlation_length: In pixels, from 1 to a quarter of `size`, or a range drawn as the fractions.
        seed: Which random images, 0 or more.
        first: The number of the first image.
        progress: Show a progress bar.

    Raises:
        InputError: An argument is of the wrong kind or outside its range.

    Source: levelled random fields, Cahn 1965; several fields, plurigaussian simulation, Galli et al. 1994.
    """
    check_whole_numbers(n=(n, 0), size=(size, 4), seed=(seed, 0), first=(first, 0))
    if dimensions not in (2, 3):
        raise InputError(f"dimensions is 2 or 3. Received: {dimensions!r}.")
    ranges = _fraction_ranges(fractions)
    lengths = number_range("correlation_length", correlation_length, 1)
    if lengths[1] > size / 4:
        raise InputError(
            f"correlation_length is at most a quarter of the size, {size / 4:g} pixels. "
            f"Received: {correlation_length!r}."
        )
    sides = (size,) * dimensions
    labels = np.empty((n, *sides), np.uint8)
    for i in tqdm(range(n), desc="phase fields", unit="image", disable=not progress):
        rng = np.random.default_rng([seed, first + i])
        asked = [rng.uniform(*ends) for ends in ranges]
        labels[i] = _labels(rng, sides, asked, rng.uniform(*lengths))
    phases = range(1, 2) if len(ranges) == 1 else range(len(ranges) + 1)
    images = np.stack([labels == phase for phase in phases], axis=-1).astype(np.float32)
    inside = tuple(range(1, dimensions + 1))
    return PhaseFields(images, images.mean(axis=inside, dtype=np.float64).astype(np.float32))


def gaussian_field(rng: np.random.Generator, sides: Sequence[int], correlation_length: float) -> np.ndarray:
    """A periodic Gaussian random field of mean 0 and variance 1 with covariance `exp(-r^2 / (2 l^2))`.

    Args:
        rng: Where the noise comes from.
        sides: Shape of the field.
        correlation_length: `l` in pixels; small against the sides, so that its own periodic images do not reach it.
    """
    waves = np.meshgrid(
        *[np.fft.fftfreq(side) for side in sides[:-1]], np.fft.rfftfreq(sides[-1]), indexing="ij", sparse=True
    )
    squared = sum((2.0 * np.pi * wave) ** 2 for wave in waves)
    # The root of the spectrum, which is the covariance's Fourier transform, up to a factor.
    amplitude = np.exp(-0.25 * correlation_length**2 * squared)
    field = np.fft.irfftn(np.fft.rfftn(rng.standard_normal(sides)) * amplitude, s=sides, axes=range(len(sides)))
    # The variance of white noise of variance 1 behind the filter: the mean of its squared gain over all waves.
    gain = np.fft.irfftn(amplitude**2, s=sides, axes=range(len(sides))).flat[0]
    return field / np.sqrt(gain)


def _labels(
    rng: np.random.Generator, sides: Sequence[int], fractions: Sequence[float], correlation_length: float
) -> np.ndarray:
    labels = np.zeros(sides, np.uint8)
    for phase, fraction in enumerate(fractions, start=1):
        field = gaussian_field(rng, sides, correlation_length)
        field[labels > 0] = -np.inf  # taken by an earlier phase
        count = min(max(1, round(fraction * labels.size)), labels.size - 1)
        labels.flat[np.argpartition(field.ravel(), -count)[-count:]] = phase
    return labels


def _fraction_ranges(fractions: NumberOrRange | Sequence[NumberOrRange]) -> list[tuple[float, float]]:
    """A range for each phase but the first."""
    single = is_number(fractions) or (isinstance(fractions, Sequence) and all(map(is_number, fractions)))
    ranges = [number_range("fractions", value, 0) for value in ([fractions] if single else fractions)]
    if min(low for low, _ in ranges) == 0 or sum(high for _, high in ranges) >= 1:
        raise InputError(f"fractions are above 0 and add up to less than 1. Received: {fractions!r}.")
    return ranges
