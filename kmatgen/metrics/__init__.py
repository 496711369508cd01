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
    "Consistency": "crystal_consistency",
    "Coverage": "crystal_coverage",
    "Curve": "correlation",
    "Encoder": "features",
    "Estimate": "kernels",
    "FeatureExtractor": "features",
    "FewSamplesWarning": "frechet",
    "Fingerprints": "crystal_coverage",
    "GanTrainTest": "classifiers",
    "GrainSizes": "grains",
    "Key": "crystal_keys",
    "Matching": "novelty",
    "ModeCoverage": "diversity",
    "NearestTraining": "memorisation",
    "ObjectKind": "objects",
    "ObjectOmission": "objects",
    "Objects": "objects",
    "Otsu": "segmentation",
    "PCAOfS2": "features",
    "PRDC": "fidelity",
    "PUBLISHED": "crystal_published",
    "PUBLISHED_CONSISTENCY": "crystal_consistency",
    "Raw": "features",
    "Reconstruction": "reconstruction",
    "Threshold": "segmentation",
    "assign_labels": "classifiers",
    "astm_grain_size": "grains",
    "bond_lengths_valid": "bonds",
    "chord_lengths": "chords",
    "cluster_correlation": "clusters",
    "composition_statistics": "composition_fingerprints",
    "compositionally_valid": "crystal_validity",
    "consistency": "crystal_consistency",
    "coverage": "crystal_coverage",
    "density_distance": "crystal_distributions",
    "element_number_distance": "crystal_distributions",
    "excess_overlap": "crystal_keys",
    "feature_extractor": "features",
    "find_objects": "objects",
    "fingerprint_crystals": "crystal_fingerprints",
    "frechet_distance": "frechet",
    "gan_train_test": "classifiers",
    "grain_sizes": "grains",
    "key_overlap": "crystal_keys",
    "kid": "kernels",
    "label_clusters": "clusters",
    "lattice_error": "crystal_keys",
    "lineal_path": "chords",
    "local_order": "order_parameters",
    "matched_distances": "reconstruction",
    "mean_intercept": "grains",
    "median_distance": "kernels",
    "mmd": "kernels",
    "mode_coverage": "diversity",
    "ms_ssim_diversity": "diversity",
    "nearest_training": "memorisation",
    "novel": "novelty",
    "object_omission": "objects",
    "percolating_share": "clusters",
    "phase_fractions": "phases",
    "prdc": "fidelity",
    "radial_average": "correlation",
    "reconstruction_rate": "reconstruction",
    "resampled": "crystal_baselines",
    "rms_two_point_error": "correlation",
    "role_keys": "crystal_keys",
    "score_crystals": "crystal_scores",
    "score_rows": "crystal_scores",
    "segment": "segmentation",
    "segment_grains": "watershed",
    "segmenter": "segmentation",
    "shuffled_species": "crystal_baselines",
    "space_groups": "crystal_distributions",
    "specific_surface": "phases",
    "split_by_key": "crystal_baselines",
    "structurally_valid": "crystal_validity",
    "structure_fingerprints": "crystal_fingerprints",
    "to_grey": "segmentation",
    "triple_phase_boundary": "phases",
    "two_point_correlation": "correlation",
    "two_point_curve": "correlation",
    "unique": "novelty",
    "voronoi_faces": "voronoi",
    "wasserstein": "distributions",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"kmatgen.metrics.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'kmatgen.metrics' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
