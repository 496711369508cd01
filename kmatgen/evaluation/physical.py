"""Metrics of structure: correlations, phases, surfaces, chords and grains, as distances of samples from real ones."""

from __future__ import annotations

import numpy as np
from scipy.stats import wasserstein_distance

from kmatgen.evaluation.metric import Described, Metric, pooled
from kmatgen.evaluation.view import View
from kmatgen.metrics.correlation import two_point_curve
from kmatgen.metrics.phases import phase_fractions, specific_surface


def wasserstein(real: Described, generated: Described) -> float:
    """Wasserstein-1 distance of two distributions of one quantity, all samples of a set taken together."""
    return float(wasserstein_distance(pooled(real), pooled(generated)))


def rms_of_means(real: Described, generated: Described) -> float:
    """Root mean square difference of two mean curves; see `kmatgen.metrics.rms_two_point_error`."""
    return float(np.sqrt(np.mean((generated.mean(axis=0) - real.mean(axis=0)) ** 2)))


def mean_value(described: Described) -> float:
    """The mean over all values of all samples."""
    return float(pooled(described).mean())


def _two_point(view: View) -> Described:
    return two_point_curve(view.mask, view.settings.periodic).values


def _phase_fraction(view: View) -> Described:
    phase = view.settings.phase
    return phase_fractions(view.phases, max(phase, int(view.phases.max())) + 1)[:, phase]


def _surface(view: View) -> Described:
    _ = view.mask  # refuses samples without the phase, in the words of a view
    return specific_surface(
        view.phases, view.settings.phase, periodic=view.settings.periodic, pixel_size=view.pixel_size
    )


PHYSICAL = (
    Metric("two_point", "RMS difference of the mean two-point correlation S2(r)", _two_point, rms_of_means),
    Metric("phase_fraction", "W1 distance of phase fractions", _phase_fraction, wasserstein, level=mean_value),
    Metric(
        "specific_surface",
        "W1 distance of interface per area (3-D: per volume)",
        _surface,
        wasserstein,
        unit="1/length",
        level=mean_value,
    ),
)
