"""Tables of crystals as bytes: compressed numpy archives, without pickle."""

from __future__ import annotations

import io

import numpy as np

from kmatgen.representations.crystal_table import CrystalTable

_COLUMNS = ("lattice", "species", "coords", "space_group", "origin")
_PROPERTY = "property "


def table_to_bytes(table: CrystalTable) -> bytes:
    """A table as the content of an `.npz` file."""
    columns = {name: getattr(table, name) for name in _COLUMNS}
    columns |= {_PROPERTY + name: np.asarray(column, np.float64) for name, column in table.properties.items()}
    file = io.BytesIO()
    np.savez_compressed(file, **columns)
    return file.getvalue()


def table_from_bytes(content: bytes) -> CrystalTable:
    """The inverse of `table_to_bytes`."""
    with np.load(io.BytesIO(content), allow_pickle=False) as columns:
        properties = {name.removeprefix(_PROPERTY): columns[name] for name in columns if name.startswith(_PROPERTY)}
        return CrystalTable(**{name: columns[name] for name in _COLUMNS}, properties=properties)
