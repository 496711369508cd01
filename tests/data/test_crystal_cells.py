from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from kmatgen.data.crystal_cells import with_cell
from kmatgen.data.crystals import read_crystals
from kmatgen.errors import InputError
from kmatgen.representations import CrystalTable
from kmatgen.representations.space_groups import with_space_groups

DATA = Path(__file__).parents[3] / "shared" / "data"
ROCK_SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])
QUARTZ = Structure.from_spacegroup(
    "P3_221", Lattice.hexagonal(4.916, 5.405), ["Si", "O"], [[0.4697, 0, 2 / 3], [0.4135, 0.2669, 0.7858]]
)
CALCITE = Structure.from_spacegroup(
    "R-3c", Lattice.hexagonal(4.99, 17.06), ["Ca", "C", "O"], [[0, 0, 0], [0, 0, 0.25], [0.257, 0, 0.25]]
)


def skewed(structure):
    """The same crystal in a larger and oblique cell."""
    return structure.make_supercell([[1, 1, 0], [0, 1, 2], [0, 0, 1]], in_place=False)


@pytest.mark.parametrize(
    ("cell", "sites"),
    [("given", (8, 9, 30)), ("primitive", (2, 9, 10)), ("conventional", (8, 9, 30)), ("niggli", (2, 9, 10))],
)
def test_cells_hold_the_same_crystal(cell, sites):
    originals = [ROCK_SALT, QUARTZ, CALCITE]
    table = with_space_groups(
        CrystalTable.from_structures([skewed(s) for s in originals] if cell != "given" else originals)
    )
    found, kept = with_cell(table, cell)
    assert kept.all()
    assert_array_equal(found.n_sites, sites)
    assert_array_equal(found.space_group, [225, 154, 167])
    assert_array_equal(with_space_groups(found).space_group, [225, 154, 167])
    matcher = StructureMatcher(ltol=1e-3, stol=1e-3, angle_tol=1e-2, scale=False)
    for structure, original in zip(found.structures(), originals, strict=True):
        assert matcher.fit(structure, original)


@pytest.mark.parametrize("cell", ["primitive", "conventional", "niggli"])
def test_the_space_group_is_the_one_found_not_the_one_declared(cell):
    declared = CrystalTable.from_structures([ROCK_SALT, QUARTZ, CALCITE])
    assert_array_equal(declared.space_group, 0)
    assert_array_equal(with_cell(declared, cell)[0].space_group, [225, 154, 167])


def test_niggli_cells_are_pymatgens():
    table = CrystalTable.from_structures([skewed(s) for s in (ROCK_SALT, QUARTZ, CALCITE)])
    for row, structure in enumerate((ROCK_SALT, QUARTZ, CALCITE)):
        expected = structure.get_primitive_structure().lattice.get_niggli_reduced_lattice()
        found = with_cell(table, "niggli")[0].lattice[row]
        assert_allclose(np.sort(found[:3]), np.sort(expected.abc), rtol=1e-4)
        assert_allclose(np.sort(np.cos(np.radians(found[3:]))), np.sort(np.cos(np.radians(expected.angles))), atol=1e-4)


def test_crystals_without_symmetry_found_are_left_out():
    table = CrystalTable.from_structures([ROCK_SALT, ROCK_SALT], properties={"gap": [1.0, 2.0]})
    table.coords[0, 1] = table.coords[0, 0]
    found, kept = with_cell(table, "primitive")
    assert_array_equal(kept, [False, True])
    assert_array_equal(found.properties["gap"], [2.0])


def test_unknown_cell():
    with pytest.raises(InputError, match="A cell is one of given, primitive, conventional, niggli. Received: 'big'"):
        with_cell(CrystalTable.from_structures([ROCK_SALT]), "big")


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "carbon_24").is_dir(), reason="needs carbon_24")
def test_real_crystals_stay_what_they_are():
    table = read_crystals(DATA / "carbon_24" / "train.csv", symprec=None).table[30:36]
    found, kept = with_cell(table, "niggli")
    assert kept.all()
    # pymatgen's own reduction leaves one of them in a doubled cell, hence the supercells.
    matcher = StructureMatcher(0.02, 0.05, 1.0, scale=False, primitive_cell=False, attempt_supercell=True)
    assert all(map(matcher.fit, found.structures(), table.structures()))
