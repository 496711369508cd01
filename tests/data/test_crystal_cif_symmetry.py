"""Symmetry of CIFs: cells that fit it, symbols as they are written, atoms that are listed more than once."""

import gemmi
import numpy as np
import pytest
from numpy.testing import assert_allclose

from kmatgen.data.cleaning import Refusal
from kmatgen.data.crystal_cif import cells_of_cif
from kmatgen.data.crystal_cif_symmetry import distinct_sites
from tests.data.cifs import cif

MONOCLINIC = (5, 6, 7, 90, 100, 90)


def read(sites, symbol, cell=(5, 6, 7, 90, 90, 90)):
    (found,) = cells_of_cif(cif(sites, cell, f"_symmetry_space_group_name_H-M '{symbol}'"), 128)
    if not hasattr(found, "numbers"):
        raise found[1]
    return found


@pytest.mark.parametrize("symbol", ["C 1", "I 1"])
def test_centring_without_other_symmetry(symbol):
    cell = read(("Na Na1 .1 .2 .3 1",), symbol)
    shift = {"C": [0.5, 0.5, 0], "I": [0.5, 0.5, 0.5]}[symbol[0]]
    assert cell.space_group == 1
    assert_allclose(np.subtract(*cell.coords[::-1]), shift)


@pytest.mark.parametrize("symbol", ["P2_1/c", "P2(1)/c", "P 2_1/c", "P 1 2(1)/c 1"])
def test_screw_axes_as_they_are_written(symbol):
    cell = read(("Na Na1 .1 .2 .3 1",), symbol, MONOCLINIC)
    assert cell.space_group == 14
    expected = [[0.1, 0.2, 0.3], [0.9, 0.7, 0.2], [0.9, 0.8, 0.7], [0.1, 0.3, 0.8]]
    assert_allclose(sorted(np.mod(cell.coords, 1).tolist()), sorted(expected), atol=1e-12)


def test_cells_that_are_refined_and_rounded_fit():
    assert len(read(("Na Na1 .1 .2 .3 1",), "P 31", (14.231, 14.227, 10.24, 90.07, 90.15, 120.04)).numbers) == 3
    with pytest.raises(Refusal, match="does not have the symmetry of its space group, I 1 a 1"):
        read(("Na Na1 .1 .2 .3 1",), "I 1 a 1", (5, 6, 7, 90, 90, 100))


def test_an_atom_that_is_listed_beside_its_images_is_there_once():
    listed = ("Na Na1 .1 .2 .3 1", "Na Na2 -.1 -.2 .7001 1", "Cl Cl1 .25 .5 .5 1", "Cl Cl2 -1e-9 0 0 1")
    cell = read(listed, "P -1")
    assert cell.numbers == [11, 11, 17, 17, 17]
    assert_allclose(cell.coords[0], [0.1, 0.2, 0.3])


def test_other_elements_and_atoms_further_apart_stay():
    cell = gemmi.UnitCell(10, 10, 10, 90, 90, 60)
    coords = [[0.001, 0, 0], [0.999, 1, 0], [0.999, 0, 0], [0.008, 0, 0], [0, 0, -1e-20]]
    assert distinct_sites(cell, [6, 6, 7, 6, 6], coords) == [0, 2, 3]
    flat = gemmi.UnitCell(10, 0, 10, 90, 90, 90)
    assert distinct_sites(flat, [6, 6], [[0, 0, 0], [0, 0, 0]]) == [0, 1]
