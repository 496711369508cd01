import numpy as np
from numpy.testing import assert_array_equal

from kmatgen.representations.table_files import table_from_bytes, table_to_bytes
from tests.representations.crystals import triclinic


def test_there_and_back():
    table = triclinic()
    table.properties["band gap (eV)"] = np.where(np.arange(len(table)) % 2, 1.5, np.nan)
    table.origin[0] = "Mendel\u00e9ev"
    found = table_from_bytes(table_to_bytes(table))
    for name in ("lattice", "species", "coords", "space_group", "origin"):
        assert_array_equal(getattr(found, name), getattr(table, name))
    assert list(found.properties) == ["band gap (eV)"]
    assert_array_equal(found.properties["band gap (eV)"], table.properties["band gap (eV)"])


def test_no_crystals():
    assert len(table_from_bytes(table_to_bytes(triclinic()[:0]))) == 0
