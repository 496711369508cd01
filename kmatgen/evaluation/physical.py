"""Metrics of structure: correlations, phases, surfaces, chords and grains, as distances of samples from real ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kmatgen.errors import InputError
from kmatgen.evaluation.metric import Described, Metric, pooled, ragged
from kmatgen.evaluation.view import View
from kmatgen.metrics.chords import chord_lengths, lineal_path
from kmatgen.metrics.clusters import percolating_share
from kmatgen.metrics.correlation import two_point_curve
from kmatgen.metrics.distributions import wasserstein
from kmatgen.metrics.grains import grain_sizes, mean_intercept
from kmatgen.metrics.objects import find_objects
from kmatgen.metrics.phases import phase_fractions, specific_surface


def pooled_distance(real: Described, generated: Described) -> float:
    """Wasserstein-1 distance of two distributions of one quantity, all samples of a set taken together.

    Raises:
        InputError: A set has no values.
    """
    sets = pooled(real), pooled(generated)
    if not all(map(len, sets)):
        raise InputError(f"Real and generated samples need such objects. Received: {len(sets[0])} and {len(sets[1])}.")
    return wasserstein(*sets)


def rms_of_means(real: Described, generated: Described) -> float:
    """Root mean square difference of two mean curves; see `kmatgen.metrics.rms_two_point_error`."""
    return float(np.sqrt(np.mean((generated.mean(axis=0) - real.mean(axis=0)) ** 2)))


def mean_value(described: Described) -> float:
    """The mean over all values of all samples."""
    return float(pooled(described).mean())


def weighted_distance(real: Described, generated: Described) -> float:
    """Wasserstein-1 distance of values that each have a weight, all samples of a set taken together."""
    (real_values, real_weights), (values, weights) = (weighted(part) for part in (real, generated))
    return wasserstein(real_values, values, real_weights, weights)


def weighted_mean(described: Described) -> float:
    """The mean over all values of all samples, each with its weight."""
    values, weights = weighted(described)
    return float(np.average(values, weights=weights))


def weighted(described: Described) -> tuple[np.ndarray, np.ndarray]:
    """All values and their weights, from an array `(values, 2)` for each sample.

    Raises:
        InputError: There are none at all.
    """
    rows = np.concatenate(list(described))
    if len(rows) == 0:
        raise InputError(
            "Only grains and chords that lie inside the samples as a whole have a size; use larger samples. "
            f"Received: {len(described)} samples without one."
        )
    return rows[:, 0], rows[:, 1]


def _two_point(view: View) -> Described:
    return two_point_curve(view.mask, view.settings.periodic).values


def _phase_fraction(view: View) -> Described:
    phase = view.settings.phase
    return phase_fractions(view.phases, max(phase, int(view.phases.max())) + 1)[:, phase]


def _lineal_path(view: View) -> Described:
    _ = view.mask  # refuses samples without the phase, in the words of a view
    return lineal_path(view.phases, view.settings.phase, periodic=view.settings.periodic).values


def _chords(view: View) -> Described:
    """Each length that occurs and how often it does, `(lengths, 2)` for each sample."""
    _ = view.mask
    settings = view.settings
    chords = chord_lengths(view.phases, settings.phase, periodic=settings.periodic, pixel_size=view.pixel_size)
    return ragged(np.stack(np.unique(lengths, return_counts=True), axis=1) for lengths in chords)


def _diameters(view: View) -> Described:
    """Diameter and weight of each grain, `(grains, 2)` for each sample."""
    options = {"periodic": view.settings.periodic, "pixel_size": view.pixel_size}
    found = []
    for grains in view.grains:
        try:
            found += grain_sizes(grains[None], **options)
        except InputError:
            # No grain lies inside this sample as a whole.
            found.append((np.empty(0), np.empty(0)))
    return ragged(np.stack([sizes[0], sizes[1]], axis=1) for sizes in found)


def _intercept(view: View) -> Described:
    """The mean intercept of each sample; none for one without a boundary."""
    maps = view.grains
    several = maps.reshape(len(maps), -1).max(axis=1) > 0
    options = {"periodic": view.settings.periodic, "pixel_size": view.pixel_size}
    found = iter(mean_intercept(maps[several], **options) if several.any() else ())
    return ragged([next(found)] if one else [] for one in several)


def _objects(view: View) -> Described:
    _ = view.mask
    found = find_objects(view.phases, view.settings.phase, pixel_size=view.pixel_size)
    return ragged(found.diameter[found.sample == index] for index in range(len(view.phases)))


def _percolation(view: View) -> Described:
    _ = view.mask
    return percolating_share(view.phases, view.settings.phase, periodic=view.settings.periodic)


def _surface(view: View) -> Described:
    _ = view.mask  # refuses samples without the phase, in the words of a view
    return specific_surface(
        view.phases, view.settings.phase, periodic=view.settings.periodic, pixel_size=view.pixel_size
    )


def _distance_of_values(name: str, title: str, describe: Callable[[View], Described], unit: str = "") -> Metric:
    return Metric(name, title, describe, pooled_distance, unit=unit, level=mean_value)


def _distance_of_weighted(name: str, title: str, describe: Callable[[View], Described]) -> Metric:
    return Metric(name, title, describe, weighted_distance, unit="length", level=weighted_mean)


PHYSICAL = (
    Metric("two_point", "RMS difference of the mean two-point correlation S2(r)", _two_point, rms_of_means),
    Metric("lineal_path", "RMS difference of the mean lineal path L(z)", _lineal_path, rms_of_means),
    _distance_of_values("phase_fraction", "W1 distance of phase fractions", _phase_fraction),
    _distance_of_values("specific_surface", "W1 distance of interface per area (3-D: volume)", _surface, "1/length"),
    _distance_of_values("object_size", "W1 distance of diameters of connected objects", _objects, "length"),
    _distance_of_values("percolation", "W1 distance of the share of the phase that percolates", _percolation),
    _distance_of_values("intercept", "W1 distance of mean intercepts of grains (ASTM E112)", _intercept, "length"),
    _distance_of_weighted("chord_length", "W1 distance of chord lengths", _chords),
    _distance_of_weighted("grain_size", "W1 distance of equivalent grain diameters, grains by watershed", _diameters),
)
