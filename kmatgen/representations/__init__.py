"""Codecs between tables of crystals and arrays, and the table itself.

Names are imported on first use: reading crystals into a table does not need Keras.
"""

from __future__ import annotations

from kmatgen.lazy import lazily

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
__getattr__, __dir__ = lazily(__name__, _HOMES)
