"""Cells of CIF text, with pymatgen's parser as the oracle, and every kind of text that is refused."""

import warnings

import gemmi
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure
from pymatgen.io.cif import CifParser

from kmatgen.data.cleaning import Refusal
from kmatgen.data.crystal_cif import UnitCell, cells_of_cif
from tests.data.cifs import ROCK_SALT_SITES, cif


def read(text, most_sites=128):
    (cell,) = cells_of_cif(text, most_sites)
    if not isinstance(cell, UnitCell):
        raise cell[1]
    return cell


def as_structure(cell):
    from pymatgen.core import Lattice

    return Structure(Lattice.from_parameters(*cell.lattice), cell.numbers, cell.coords)


def operations(symbol):
    lines = [f"'{operation.triplet()}'" for operation in gemmi.SpaceGroup(symbol).operations()]
    return "\n".join(["loop_", "_symmetry_equiv_pos_as_xyz", *lines])


def _with_formula(formula):
    return cif().replace("_cell_length_a", f"_chemical_formula_sum '{formula}'\n_cell_length_a")


QUARTZ = dict(
    sites=("Si Si1 0.4697 0 0.666667 1", "O O1 0.4135 0.2669 0.7858 1"),
    cell=(4.916, 4.916, 5.4054, 90, 90, 120),
    name="SiO2",
)


@pytest.mark.parametrize(
    ("text", "sites", "number"),
    [
        (cif(), 8, 225),
        (cif(symmetry="_symmetry_Int_Tables_number 225"), 8, 0),
        (cif(symmetry="_space_group_IT_number 225"), 8, 0),
        (cif(symmetry=operations("F m -3 m")), 8, 225),
        (cif(symmetry="_space_group_name_H-M_alt 'F m -3 m'"), 8, 225),
        (cif(symmetry=""), 2, 0),
        (cif(symmetry="_symmetry_space_group_name_H-M ?"), 2, 0),
        (cif(**QUARTZ, symmetry="_symmetry_space_group_name_H-M 'P 32 2 1'"), 9, 154),
        (cif(**QUARTZ, symmetry=operations("P 32 2 1")), 9, 154),
    ],
)
def test_symmetry_is_expanded_as_pymatgen_does(text, sites, number):
    cell = read(text)
    assert len(cell.numbers) == sites
    assert cell.space_group == number
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (expected,) = CifParser.from_str(text).parse_structures(primitive=False)
    assert StructureMatcher(primitive_cell=False, scale=False, ltol=1e-4, stol=1e-3, angle_tol=1e-3).fit(
        expected, as_structure(cell)
    )


def test_operations_of_no_known_group_are_applied():
    doubled = "loop_\n_space_group_symop_operation_xyz\n'x,y,z'\n'x+1/4,y,z'\n'x+1/2,y,z'\n'x+3/4,y,z'"
    cell = read(cif(("Na Na1 0 0 0 1",), symmetry=doubled))
    assert_allclose(sorted(x for x, _, _ in cell.coords), [0, 0.25, 0.5, 0.75])
    assert cell.space_group == 0


def test_magnetic_operations_are_left_to_pymatgen():
    magnetic = "_space_group_magn.transform_BNS_Pp_abc 'a,b,c;0,0,0'\nloop_\n_space_group_symop_magn_operation.id\n"
    magnetic += "_space_group_symop_magn_operation.xyz\n1 x,y,z,+1\n2 x+1/2,y+1/2,z,-1"
    cell = read(cif(("Fe Fe1 0 0 0 1",), symmetry=magnetic))
    assert_allclose(cell.coords, [[0, 0, 0], [0.5, 0.5, 0]])


@pytest.mark.parametrize(
    ("sites", "numbers"),
    [
        (("Na1+ Na1 0 0 0 1", "Cl1- Cl1 .5 .5 .5 1"), [11, 17]),
        (("D H1 0 0 0 1", "CL Cl1 .5 .5 .5 1.000(2)"), [1, 17]),
        (("Fe Fe1 0.00(1) 0 0 ?", "O O1 .5 .5 .5 ."), [26, 8]),
    ],
)
def test_symbols_charges_and_uncertainties(sites, numbers):
    cell = read(cif(sites, symmetry=""))
    assert cell.numbers == numbers
    assert_array_equal(cell.coords, [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.mark.parametrize("symbol", ["?", "."])
def test_symbols_left_open_stand_in_the_labels(symbol):
    cell = read(cif((f"{symbol} Na1A 0 0 0 1", "Cl X2 .5 .5 .5 1", f"{symbol} O1 .5 0 0 1"), symmetry=""))
    assert cell.numbers == [11, 17, 8]


@pytest.mark.parametrize("formula", ["Na4 Cl4", "ClNa", "Na Cl H0", "Na0.5 Cl0.50 ", "NA CL", "SI O2", "unknown", "?"])
def test_formulas_that_refuse_nothing(formula):
    assert len(read(_with_formula(formula)).numbers) == 8


def test_deuterium_is_the_hydrogen_of_a_formula():
    sites = ("D D1 0 0 0 1", "O O1 .3 0 0 1")
    for formula in ("H O", "D O"):
        text = cif(sites, symmetry=f"_chemical_formula_sum '{formula}'")
        assert read(text).numbers == [1, 8]


def test_blocks_of_one_file():
    text = "data_global\n_journal_name 'none'\n" + cif() + cif(("Cs Cs1 0 0 0 0.5",), symmetry="", name="bad")
    one, bad = cells_of_cif(text, 128)
    assert (one.name, len(one.numbers)) == ("NaCl", 8)
    assert (bad[0], bad[1].reason) == ("bad", "disordered")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8", "utf-8-sig", "utf-16"])
def test_characters_beyond_ascii(encoding):
    text = cif(("Na Na\u00e9 0 0 0 1", "Cl Cl1 .5 .5 .5 1"), symmetry="_publ_author_name 'Mendel\u00e9ev'", name="x")
    assert read(text).numbers == [11, 17]
    assert read(text.encode(encoding)).numbers == [11, 17]


@pytest.mark.parametrize(
    ("text", "reason", "detail"),
    [
        ("", "empty", "no text"),
        (" \n\t\n", "empty", "no text"),
        (b"\xff\xfe", "empty", "no text"),
        ("hello", "unreadable", "expected block header"),
        (b"\x00\x01\x02PNG\x89", "unreadable", "gemmi"),
        (cif()[:-25], "unreadable", "gemmi"),
        (cif(symmetry="_symmetry_space_group_name_H-M 'F m 7 m'"), "unreadable", "not found in the table"),
        (cif(symmetry="_symmetry_Int_Tables_number half"), "unreadable", "not known: not an integer"),
        (cif(()), "missing coordinates", "no atoms"),
        ("data_x\n_cell_length_a 3", "missing coordinates", "no fractional coordinates"),
        (cif(("Na Na1 ? 0 0 1",)), "missing coordinates", "coordinate of site Na1 is missing"),
        (cif(("Na Na1 0 . 0 1",)), "missing coordinates", "coordinate of site Na1 is missing"),
        (cif(("Na Na1 1/3 0 0 1",)), "missing coordinates", "coordinate of site Na1 is missing or no number"),
        (cif(("? ? ? ? ? 1",)), "missing coordinates", "coordinate of site ? is missing"),
        (cif().replace("fract", "Cartn"), "missing coordinates", "no fractional coordinates"),
        (cif().replace("fract_y", "Cartn_y"), "missing coordinates", "no fractional coordinates (_atom_site_fract_y)"),
        (cif(("Qq Qq1 0 0 0 1",)), "unknown element", "Site Qq1 holds 'Qq'"),
        (cif(("Na Na1 0 0 0 0.5", "K K1 0 0 0 0.5")), "disordered", "Site Na1 has an occupancy of 0.5"),
        (cif(("? ? 0 0 0 1",)), "unknown element", "A site has no symbol"),
        (_with_formula("Na4 Cl4 H8"), "missing atoms", "No site holds H, which is in the formula Na4 Cl4 H8"),
        (cif(cell=(4, 4, 4, 60, 60, 60)), "unreadable", "not have the symmetry of its space group, F m -3 m"),
        (cif(cell=("large", 4, 4, 90, 90, 90)), "unreadable", "_cell_length_a is no number: large"),
        (cif(cell=(4, 4, 4, 90, "?", 90)), "unreadable", "_cell_angle_beta is no number: ?"),
        (cif(cell=(None, 4, 4, 90, 90, 90)), "zero volume", "_cell_length_a is missing"),
        (cif([f"Na Na{row} {row / 10_000} 0 0 1" for row in range(10_000)], symmetry=""), "too many sites", "10000"),
        (cif([*ROCK_SALT_SITES, "O O1 0.06 0.16 0.27 1"]), "too many sites", "200 sites; at most 128"),
    ],
)
def test_what_is_refused(text, reason, detail):
    with pytest.raises(Refusal) as caught:
        read(text)
    assert caught.value.reason == reason
    assert detail in caught.value.detail


def test_pymatgen_reads_what_gemmi_cannot():
    twice = cif().replace("_cell_length_b", "_cell_length_a 5.64\n_cell_length_b")
    with pytest.raises(RuntimeError, match="duplicate tag"):
        gemmi.cif.read_string(twice)
    cell = read(twice)
    assert sorted(cell.numbers) == [11] * 4 + [17] * 4
    assert_allclose(cell.lattice, [5.64, 5.64, 5.64, 90, 90, 90])
    assert_allclose(np.unique(np.round(cell.coords, 6) % 1), [0, 0.5])
