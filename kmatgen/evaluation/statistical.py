"""Metrics of distributions of feature vectors: distances, and shares of nearest neighbours."""

from __future__ import annotations

import functools

from kmatgen.evaluation.metric import Described, Metric
from kmatgen.evaluation.view import View
from kmatgen.metrics.frechet import frechet_distance
from kmatgen.metrics.kernels import kid, mmd
from kmatgen.metrics.prdc import prdc

_NEIGHBOURS = 5
# The estimate alone is wanted, whose interval is found as that of every other metric.
_FEW_SUBSETS = 2


def _features(view: View) -> Described:
    return view.features


def _kid(real: Described, generated: Described) -> float:
    return kid(real, generated, subsets=_FEW_SUBSETS).value


def _mmd(real: Described, generated: Described) -> float:
    return mmd(real, generated, subsets=_FEW_SUBSETS).value


def _share(real: Described, generated: Described, name: str) -> float:
    return getattr(prdc(real, generated, _NEIGHBOURS), name)


def _neighbour_metric(name: str, title: str) -> Metric:
    compare = functools.partial(_share, name=name)
    return Metric(name, title, _features, compare, better="higher", least=_NEIGHBOURS + 1, repeats=False)


STATISTICAL = (
    Metric("kid", "kernel distance of features (KID, unbiased)", _features, _kid, least=4, repeats=False),
    Metric("mmd", "squared MMD of features, Gaussian kernel", _features, _mmd, least=4, repeats=False),
    Metric("frechet", "Frechet distance of features", _features, frechet_distance),
    _neighbour_metric("precision", "share of samples within reach of a real one"),
    _neighbour_metric("recall", "share of real ones within reach of a sample"),
    _neighbour_metric("density", "real ones within whose reach a sample lies, over k"),
    _neighbour_metric("coverage", "share of real ones with a sample within their reach"),
)
