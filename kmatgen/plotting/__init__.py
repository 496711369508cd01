"""Pictures, written as PNG files: grids of images and crystals, curves of a training, distributions, evaluations.

Names are imported on first use: pictures of images do not need what pictures of crystals do.
"""

from __future__ import annotations

from kmatgen.lazy import lazily

_HOMES = {
    "adversarial_curves": "training",
    "asked_figure": "distributions",
    "band_curves": "evaluations",
    "crystal_distributions": "crystals",
    "crystal_grid": "crystals",
    "crystal_pairs": "crystals",
    "density_curves": "evaluations",
    "distributions_figure": "distributions",
    "heat_maps": "anomalies",
    "image_grid": "images",
    "isometric_view": "isometry",
    "loss_curves": "training",
    "nearest_training_figure": "nearest",
    "pair_grid": "images",
    "roc_curves": "anomalies",
    "sample_grid": "crystals",
    "to_picture": "images",
    "to_uint8": "images",
    "training_figure": "training",
    "traversal_points": "images",
}

__all__ = sorted(_HOMES)
__getattr__, __dir__ = lazily(__name__, _HOMES)
