import numpy as np
import pandas as pd
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen.crystals.files import write_crystals
from kmatgen.data.crystals import read_crystals
from kmatgen.representations import CrystalTable

# Rock salt in its primitive cell, whose group has 225 for its number, and the same without a known symmetry.
PRIMITIVE = [5.64 / np.sqrt(2)] * 3 + [60.0] * 3


def rock_salt(groups):
    n = len(groups)
    coords = np.tile([[0.0, 0, 0], [0.5, 0.5, 0.5]], (n, 1, 1))
    return CrystalTable(np.tile(PRIMITIVE, (n, 1)), np.tile([11, 17], (n, 1)), coords, groups)


def test_files_have_the_symmetry_of_the_crystals(tmp_path):
    csv = write_crystals(rock_salt([225, 0]), tmp_path)
    symmetric, plain = (tmp_path / "cif" / f"crystal_000{row}.cif" for row in (0, 1))
    assert "_symmetry_Int_Tables_number   225" in symmetric.read_text()
    assert symmetric.read_text().count("\n  Na ") == 1
    assert "_symmetry_Int_Tables_number   1\n" in plain.read_text()
    # What is declared is what the atoms have.
    for symprec in (None, 0.01):
        back = read_crystals(symmetric, symprec=symprec).table
        assert_array_equal(back.space_group, [225])
        assert_allclose(back.lattice, [[5.64, 5.64, 5.64, 90, 90, 90]], rtol=1e-6)
        assert_array_equal(back.n_sites, [8])
    # The table keeps the cells, so that all have as many sites as they were generated with.
    again = read_crystals(csv, duplicates=True).table
    assert_allclose(again.lattice, [PRIMITIVE, PRIMITIVE], rtol=1e-6)
    assert pd.read_csv(csv)["space_group"].tolist() == [225, 0]
