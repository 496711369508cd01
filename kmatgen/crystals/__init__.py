"""Crystals from trained models: generated, symmetrised, scored, written, compared.

Names are imported on first use: TensorFlow and pymatgen are not needed to name what there is.
"""

from __future__ import annotations

from kmatgen.lazy import lazily

_HOMES = {
    "GeneratedCrystals": "generation",
    "crystal_parts": "parts",
    "generate_crystals": "generation",
    "write_crystals": "files",
    "write_generation": "generation",
}

__all__ = sorted(_HOMES)
__getattr__, __dir__ = lazily(__name__, _HOMES)
