"""Data: micrographs, synthetic polycrystals, crystals, and the pipeline from samples to batches.

Names are imported on first use: looking at a folder of images does not need TensorFlow.
"""

from __future__ import annotations

from kmatgen.lazy import lazily

_HOMES = {
    "CleaningReport": "cleaning",
    "Crystals": "crystals",
    "Micrographs": "micrographs",
    "PhaseFields": "phases",
    "Polycrystals": "polycrystals",
    "augmented_crystals": "crystal_augmentation",
    "batches": "pipeline",
    "find_micrographs": "inspection",
    "from_tfds": "pipeline",
    "grain_statistics": "polycrystals",
    "micrograph_patches": "patches",
    "phase_fields": "phases",
    "polycrystal": "polycrystals",
    "prepare_crystals": "crystals_tfds",
    "prepared_crystals": "crystals_tfds",
    "read_crystals": "crystals",
    "split_files": "splits",
    "split_table": "crystal_splits",
}

__all__ = sorted(_HOMES)
__getattr__, __dir__ = lazily(__name__, _HOMES)
