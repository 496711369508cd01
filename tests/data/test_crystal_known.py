"""Crystals that are given to a model, as a user writes them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from kmatgen.data.crystal_known import parse_hold, read_known
from kmatgen.errors import InputError
from tests.data.cifs import cif, plain


def test_a_file_of_one_crystal(tmp_path):
    path = tmp_path / "mine.cif"
    path.write_text(plain("Ba Ti O"))
    structure = read_known(path)
    assert structure.atomic_numbers == (56, 22, 8)
    assert_allclose(structure.frac_coords[:, 0], [0.1, 0.2, 0.3])
    path.write_text(cif())
    assert np.bincount(read_known(path).atomic_numbers)[[11, 17]].tolist() == [4, 4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (plain() + plain(a=5), "a file of one. Received: .* with 2"),
        ("", "is refused: empty"),
        (cif(("Na Na1 0 0 0 0.5",)), "is refused: disordered"),
    ],
)
def test_files_of_none_or_several(tmp_path, text, message):
    (tmp_path / "mine.cif").write_text(text)
    with pytest.raises(InputError, match=message):
        read_known(tmp_path / "mine.cif")


def test_what_is_held_as_it_is_written():
    assert parse_hold(["lattice", "coords=0,3", "species=2"]) == {"lattice": True, "coords": [0, 3], "species": [2]}
    for wrong in ("coords=", "coords=a", "species=1;2"):
        with pytest.raises(InputError, match=f"like lattice, species or coords=0,3. Received: '{wrong}'"):
            parse_hold([wrong])
