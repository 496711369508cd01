import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pymatgen.core import Lattice, Structure

import kmatgen as kg
from kmatgen.data.crystals import read_crystals
from kmatgen.errors import InputError
from tests.data.cifs import cif, plain

DATA = Path(__file__).parents[3] / "shared" / "data"
WURTZITE = [[1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0.5], [1 / 3, 2 / 3, 0.38], [2 / 3, 1 / 3, 0.88]]


def same_crystal(table, row, structure, atol=1e-8):
    """Whether a row holds the sites of a pymatgen structure in its order, modulo whole cells."""
    sites = len(structure)
    assert_allclose(table.lattice[row], structure.lattice.parameters, atol=atol)
    assert_array_equal(table.species[row, :sites], structure.atomic_numbers)
    assert not table.species[row, sites:].any()
    difference = table.coords[row, :sites] - structure.frac_coords
    assert_allclose(difference - np.round(difference), 0, atol=atol)


@pytest.fixture
def folder(tmp_path):
    """A CIF, a POSCAR and a JSON file, the last in a subfolder."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.cif").write_text(cif())
    wurtzite = Structure(Lattice.hexagonal(3.25, 5.2), ["Zn", "Zn", "O", "O"], WURTZITE)
    wurtzite.to(str(tmp_path / "POSCAR_1"), fmt="poscar")
    caesium = Structure(Lattice.cubic(4.12), ["Cs", "Cl"], [[0, 0, 0], [0.5] * 3])
    caesium.to(str(tmp_path / "deep" / "b.json"))
    (tmp_path / "notes.txt").write_text("not a crystal")
    return tmp_path, {"POSCAR_1": wurtzite, "deep/b.json": caesium}


def test_folder_of_three_formats(folder):
    path, structures = folder
    crystals = read_crystals(path)
    table = crystals.table
    assert list(table.origin) == ["POSCAR_1", "a.cif", "deep/b.json"]
    same_crystal(table, 0, structures["POSCAR_1"])
    same_crystal(table, 2, structures["deep/b.json"])
    assert_array_equal(table.n_sites, [4, 8, 2])
    assert_array_equal(table.space_group, [186, 225, 221])
    assert_allclose(table.density[1], 4 * (22.98976928 + 35.453) * 1.66053906660 / 5.64**3, rtol=1e-9)
    assert len(crystals.report) == 0


def test_csv_finds_its_column_and_properties(tmp_path):
    text = f'id,gap,note,structure,energy\n7,1.5,first,"{cif()}",\n8,,second,"{plain()}",-2.5\n'
    (tmp_path / "t.csv").write_text(text)
    table = read_crystals(tmp_path / "t.csv").table
    assert list(table.origin) == ["t.csv row 1 (7)", "t.csv row 2 (8)"]
    assert list(table.properties) == ["gap", "energy"]
    assert_array_equal(table.properties["gap"], [1.5, np.nan])
    assert_array_equal(table.properties["energy"], [np.nan, -2.5])
    assert_array_equal(table.n_sites, [8, 2])


def test_structures_keep_their_properties():
    one = Structure(Lattice.cubic(4.0), ["Cs", "Cl"], [[0, 0, 0], [0.5] * 3], properties={"gap": 1.5})
    two = Structure(Lattice.cubic(3.0), ["Fe"], [[0, 0, 0]], properties={"origin": "mine"})
    table = kg.data.read_crystals([one, two]).table
    same_crystal(table, 0, one)
    assert list(table.origin) == ["structure 0", "mine"]
    assert_array_equal(table.properties["gap"], [1.5, np.nan])
    again = read_crystals(table.structures()).table
    assert_array_equal(again.species, table.species)
    assert_allclose(again.coords, table.coords, atol=1e-12)


def test_processes_read_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("kmatgen.data.crystals._CHUNK", 2)
    for number in range(5):
        (tmp_path / f"{number}.cif").write_text(plain(a=4.0 + 0.1 * number))
    (tmp_path / "5.cif").write_text("")
    one, two = (read_crystals(tmp_path, jobs=jobs) for jobs in (1, 2))
    assert_array_equal(one.table.lattice, two.table.lattice)
    assert_array_equal(one.table.origin, two.table.origin)
    assert list(one.report) == list(two.report)
    assert one.content_hash == two.content_hash


def test_duplicates_are_reported_once(tmp_path):
    (tmp_path / "a.cif").write_text(cif())
    shifted = cif(("Cl Cl1 0 0 0 1", "Na Na1 0.5 0.5 0.5 1"))
    (tmp_path / "b.cif").write_text(shifted)
    (tmp_path / "c.cif").write_text(cif(cell=(5.7, 5.7, 5.7, 90, 90, 90)))
    crystals = read_crystals(tmp_path)
    assert list(crystals.table.origin) == ["a.cif", "c.cif"]
    assert crystals.report.counts == {"duplicate": 1}
    assert crystals.report[0].detail == "Equal to a.cif."
    assert len(read_crystals(tmp_path, duplicates=True)) == 3


def test_numbers_that_files_bring_along(tmp_path, monkeypatch):
    monkeypatch.setattr("kmatgen.data.crystals._CHUNK", 1)
    for name, a, beside in (("a", 4.0, {"gap": 1.5}), ("b", 4.1, {}), ("c", 4.2, {"gap": 2.5, "energy": -3})):
        structure = Structure(Lattice.cubic(a), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]).as_dict()
        (tmp_path / f"{name}.json").write_text(json.dumps({"structure": structure, **beside}))
    table = read_crystals(tmp_path).table
    assert_array_equal(table.properties["gap"], [1.5, np.nan, 2.5])
    assert_array_equal(table.properties["energy"], [np.nan, np.nan, -3])


def test_nothing_usable_is_counted(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.cif").write_text("")
    with pytest.raises(InputError, match=r"a\.cif is refused: empty\. There is no text\. Received: .* \(empty: 2\)\."):
        read_crystals(tmp_path)


def test_description(folder):
    described = read_crystals(folder[0]).describe()
    assert described["crystals"] == 3
    assert described["sites"] == {"min": 2.0, "median": 4.0, "max": 8.0}
    assert described["elements"] == {"number": 5, "symbols": ["O", "Na", "Cl", "Zn", "Cs"]}
    assert described["space_groups"] == {"186": 1, "221": 1, "225": 1}
    assert described["refused"] == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda path: read_crystals(path / "none"), "does not exist"),
        (lambda path: read_crystals(path), "holds .cif, .json"),
        (lambda path: read_crystals([]), "at least one structure"),
        (lambda path: read_crystals(["NaCl"]), "Received: str"),
        (lambda path: read_crystals("prototypes", cell="smallest"), "cell is one of given, primitive"),
        (lambda path: read_crystals("prototypes", order="role"), "order is one of given, position"),
        (lambda path: read_crystals("prototypes", symprec=0.0), "symprec is above 0"),
        (lambda path: read_crystals("prototypes", symprec=None, cell="niggli"), "needs symprec"),
        (lambda path: read_crystals("prototypes", jobs=0), "jobs is at least 1"),
        (lambda path: read_crystals("prototypes", max_sites=0), "max_sites is at least 1"),
    ],
)
def test_what_the_user_can_mend(tmp_path, wrong, message):
    with pytest.raises(InputError, match=message):
        wrong(tmp_path)


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "perov_5").is_dir(), reason="needs perov_5")
def test_perovskites():
    crystals = read_crystals(DATA / "perov_5" / "train.csv")
    table = crystals.table
    assert len(table) == 3787
    assert len(crystals.report) == 0
    assert list(table.properties) == ["heat_all", "heat_ref", "dir_gap", "ind_gap"]
    assert_array_equal(table.n_sites, 5)
    assert table.origin[0] == "train.csv row 1 (18517)"
    assert_allclose(table.coords[0, :2], [[0.00159044, 0, 0], [0.50071723, 0.5, 0.5]], atol=1e-12)


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "carbon_24").is_dir(), reason="needs carbon_24")
def test_carbon():
    table = read_crystals(DATA / "carbon_24" / "train.csv").table
    assert len(table) == 2032
    assert (table.n_sites.min(), table.n_sites.max()) == (6, 24)
    assert set(table.species[table.mask]) == {6}
