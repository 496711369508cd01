"""Codecs between tables of crystals and arrays, and the table itself.

Names are imported on first use: reading crystals into a table does not need Keras.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "Composition": "composition",
    "CrysTens": "crystens",
    "CrystalTable": "crystal_table",
    "Decoded": "base",
    "Decoder": "decoder",
    "DirectionGraph": "direction_graph",
    "Flat": "flat",
    "PointCloud": "point_cloud",
    "PointCloudDecoder": "point_cloud_decoder",
    "Representation": "base",
    "SymmetryReport": "symmetrise",
    "XtalImage": "xtal_image",
    "order_sites": "site_order",
    "periodic_distances": "distances",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"kmatgen.representations.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'kmatgen.representations' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
