"""Metrics of distributions of feature vectors: distances, and shares of nearest neighbours."""

from __future__ import annotations

import functools

import numpy as np
from threadpoolctl import threadpool_limits

from kmatgen.evaluation.metric import Described, Metric
from kmatgen.evaluation.view import View
from kmatgen.metrics.diversity import ms_ssim_diversity
from kmatgen.metrics.fidelity import prdc
from kmatgen.metrics.frechet import frechet_distance
from kmatgen.metrics.kernels import kid, median_distance, mmd
from kmatgen.metrics.memorisation import nearest_training

_NEIGHBOURS = 5
# The estimate alone is wanted, whose interval is found as that of every other metric.
_FEW_SUBSETS = 2
# Pairs of images that a diversity is the mean of.
_PAIRS = 250
# Standard deviation below which a sample has no pattern: a quarter of a grey level of 8 bits.
_CONTRAST = 1e-3
# Unbiased estimates scatter around 0 and may lie below it.
_ANY = (-np.inf, np.inf)


def _features(view: View) -> Described:
    return view.features


def _kid(real: Described, generated: Described) -> float:
    return kid(real, generated, subsets=_FEW_SUBSETS).value


def _mmd(real: Described, generated: Described) -> float:
    # A bandwidth of real samples alone, so that models are measured with the same.
    return mmd(real, generated, bandwidth=median_distance(real, real), subsets=_FEW_SUBSETS).value


def _share(real: Described, generated: Described, name: str) -> float:
    # For hundreds of samples threads wait for each other longer than they work.
    with threadpool_limits(limits=1):
        return getattr(prdc(real, generated, _NEIGHBOURS), name)


def _neighbour_metric(name: str, title: str, greatest: float = 1.0) -> Metric:
    compare = functools.partial(_share, name=name)
    bounds = (0.0, greatest)
    return Metric(name, title, _features, compare, better="higher", least=_NEIGHBOURS + 1, repeats=False, bounds=bounds)


def _samples(view: View) -> Described:
    return view.samples


def _diversity(samples: Described) -> float:
    return ms_ssim_diversity(samples, pairs=_PAIRS)


def _diversity_gap(real: Described, generated: Described) -> float:
    return abs(_diversity(generated) - _diversity(real))


def pixels(view: View) -> Described:
    """The values of each sample as one vector."""
    return view.samples.reshape(len(view.samples), -1)


def patterns(view: View) -> Described:
    """The same with mean 0 and variance 1: what a copy keeps that is darker or paler.

    By pixels smooth samples, as those of a blurred model, are near to every smooth image, without being copies.
    """
    flat = pixels(view).astype(np.float64)
    flat -= flat.mean(axis=1, keepdims=True)
    return flat / np.maximum(flat.std(axis=1, keepdims=True), _CONTRAST)


def _share_too_near(real: Described, generated: Described, training: Described) -> float:
    return nearest_training(training, real, generated).share_below


STATISTICAL = (
    Metric("kid", "kernel distance of features (KID, unbiased)", _features, _kid, least=4, repeats=False, bounds=_ANY),
    Metric("mmd", "squared MMD of features, Gaussian kernel", _features, _mmd, least=4, repeats=False, bounds=_ANY),
    Metric("frechet", "Frechet distance of features", _features, frechet_distance),
    _neighbour_metric("precision", "share of samples within reach of a real one"),
    _neighbour_metric("recall", "share of real ones within reach of a sample"),
    _neighbour_metric("density", "real ones within whose reach a sample lies, over k", np.inf),
    _neighbour_metric("coverage", "share of real ones with a sample within their reach"),
    Metric(
        "diversity",
        "difference in diversity, 1 - mean MS-SSIM of pairs",
        _samples,
        _diversity_gap,
        repeats=False,
        level=_diversity,
    ),
    Metric(
        "memorisation",
        "share of samples nearer to a training sample than 99 % of held-out ones are",
        pixels,
        _share_too_near,
        bounds=(0.0, 1.0),
        training=True,
    ),
    Metric(
        "memorisation_patterns",
        "the same by patterns, whatever their brightness and contrast",
        patterns,
        _share_too_near,
        bounds=(0.0, 1.0),
        training=True,
    ),
)
