"""Metrics: pure functions of arrays, which know no model.

Names are imported on first use: `import kmatgen.metrics` costs nothing. No function has the name of its module, which
would hide it once that was imported.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "Application": "features",
    "Colours": "segmentation",
    "Curve": "correlation",
    "Encoder": "features",
    "Estimate": "kernels",
    "FeatureExtractor": "features",
    "FewSamplesWarning": "frechet",
    "Otsu": "segmentation",
    "PCAOfS2": "features",
    "PRDC": "fidelity",
    "Raw": "features",
    "Threshold": "segmentation",
    "feature_extractor": "features",
    "frechet_distance": "frechet",
    "kid": "kernels",
    "median_distance": "kernels",
    "mmd": "kernels",
    "phase_fractions": "phases",
    "prdc": "fidelity",
    "radial_average": "correlation",
    "rms_two_point_error": "correlation",
    "segment": "segmentation",
    "segmenter": "segmentation",
    "specific_surface": "phases",
    "triple_phase_boundary": "phases",
    "two_point_correlation": "correlation",
    "two_point_curve": "correlation",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"kmatgen.metrics.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'kmatgen.metrics' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
