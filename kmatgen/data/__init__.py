"""Data: micrographs, synthetic polycrystals, and the pipeline from samples to batches."""

from kmatgen.data.micrographs import Micrographs, find_micrographs, split_files
from kmatgen.data.patches import micrograph_patches
from kmatgen.data.pipeline import batches, from_tfds
from kmatgen.data.polycrystal import Polycrystals, polycrystal

__all__ = [
    "Micrographs",
    "Polycrystals",
    "batches",
    "find_micrographs",
    "from_tfds",
    "micrograph_patches",
    "polycrystal",
    "split_files",
]
