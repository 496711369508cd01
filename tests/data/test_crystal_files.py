import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pymatgen.core import DummySpecies, Lattice, Structure

from kmatgen.data.cleaning import RefusedEntry
from kmatgen.data.crystal_files import Entry, file_kind, read_entry, text_kind
from kmatgen.representations import CrystalTable
from kmatgen.representations.space_groups import with_space_groups
from tests.data.cifs import cif

ZINC_BLENDE = Structure.from_spacegroup("F-43m", Lattice.cubic(5.41), ["Zn", "S"], [[0, 0, 0], [0.25] * 3])
VASP_4 = "made up\n1.0\n3 0 0\n0 3 0\n0 0 3\n1 1\ndirect\n0 0 0\n0.5 0.5 0.5\n"


def read(content, kind):
    return read_entry(Entry("here", content, kind), 128)


@pytest.mark.parametrize("kind", ["poscar", "json", "structure"])
def test_formats_of_pymatgen(kind):
    content = {"poscar": ZINC_BLENDE.to(fmt="poscar"), "json": ZINC_BLENDE.to(fmt="json"), "structure": ZINC_BLENDE}
    (cell,) = read(content[kind], kind)
    assert_allclose(cell.lattice, [5.41] * 3 + [90] * 3)
    assert_array_equal(cell.numbers, ZINC_BLENDE.atomic_numbers)
    assert_allclose(cell.coords, ZINC_BLENDE.frac_coords, atol=1e-9)


def test_a_list_of_json():
    silicon = Structure(Lattice.cubic(3.0), ["Si"], [[0, 0, 0]]).as_dict()
    one, bad, two = read(json.dumps([silicon, {"no": 1}, {"structure": silicon}]).encode(), "json")
    assert one.numbers == two.numbers == [14]
    assert (one.name, two.name) == ("0", "2")
    assert bad == RefusedEntry("here#1", "unreadable", "Not a pymatgen structure: no.")


def test_numbers_beside_a_structure_are_properties():
    silicon = Structure(Lattice.cubic(3.0), ["Si"], [[0, 0, 0]], properties={"energy": -5, "magnetic": False})
    document = {"material_id": "mp-149", "id": 7, "band_gap": 0.6, "stable": True, "structure": silicon.as_dict()}
    for given, expected in ((silicon.as_dict(), {"energy": -5}), (document, {"energy": -5, "band_gap": 0.6})):
        (cell,) = read(json.dumps(given), "json")
        assert cell.properties == expected
    assert cell.name == "mp-149"


@pytest.mark.parametrize("left", [False, True])
def test_the_hand_of_a_cell_survives(left):
    """Quartz turns one way; a left-handed set of lattice vectors must not turn it the other way."""
    sites = [[0.4697, 0, 2 / 3], [0.4135, 0.2669, 0.7858]]
    quartz = Structure.from_spacegroup("P3_221", Lattice.hexagonal(4.916, 5.405), ["Si", "O"], sites)
    if left:
        quartz = Structure(-quartz.lattice.matrix, quartz.species, -quartz.frac_coords)
        assert np.linalg.det(quartz.lattice.matrix) < 0
    (cell,) = read(quartz, "structure")
    table = CrystalTable.from_structures([quartz])
    read_back = CrystalTable([cell.lattice], [cell.numbers], [cell.coords], [0])
    for found in (table, read_back):
        assert_array_equal(with_space_groups(found).space_group, 154)  # the mirror image would be 152


def test_disordered_structures_and_elements_that_are_none():
    mixed = Structure(Lattice.cubic(3.0), [{"Fe": 0.5, "Ni": 0.5}], [[0, 0, 0]])
    dummy = Structure(Lattice.cubic(3.0), [DummySpecies("X")], [[0, 0, 0]])
    assert read(mixed, "structure")[0].reason == "disordered"
    assert read(dummy, "structure")[0].reason == "unknown element"


@pytest.mark.parametrize(
    ("content", "kind", "reason", "detail"),
    [
        (b"", "cif", "empty", "no text"),
        (b"", "poscar", "empty", "no text"),
        (" ", "json", "empty", "no text"),
        ("[]", "json", "empty", "list is empty"),
        ("{", "json", "unreadable", "Not JSON"),
        ('{"a": 1}', "json", "unreadable", "Not a pymatgen structure"),
        ("[3]", "json", "unreadable", "Not a pymatgen structure"),
        (b"\xff\xfe\x00", "poscar", "unreadable", "Not a POSCAR"),
        (VASP_4, "poscar", "unreadable", "false names"),
        (VASP_4.replace("1 1\n", "Xy O\n1 1\n"), "poscar", "unknown element", "no element"),
        (VASP_4.replace("1 1\n", "Fe O\n1 2\n"), "poscar", "unreadable", "Not a POSCAR"),
    ],
)
def test_what_is_refused(content, kind, reason, detail):
    (refused,) = read(content, kind)
    assert (refused.origin, refused.reason) == ("here", reason)
    assert detail in refused.detail


def test_a_file_that_cannot_be_opened(tmp_path):
    (refused,) = read(tmp_path / "gone.cif", "cif")
    assert (refused.reason, refused.detail) == ("unreadable", "No such file or directory")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.cif", "cif"),
        ("A.CIF", "cif"),
        ("POSCAR", "poscar"),
        ("CONTCAR_3", "poscar"),
        ("x.vasp", "poscar"),
        ("x.json", "json"),
        ("x.png", None),
        ("README", None),
    ],
)
def test_kind_of_a_file(tmp_path, name, kind):
    assert file_kind(tmp_path / name) == kind


@pytest.mark.parametrize(
    ("text", "kind"), [(cif(), "cif"), ("# made\n\n" + cif(), "cif"), (' {"a": 1}', "json"), ("NaCl", None), ("", None)]
)
def test_kind_of_a_text(text, kind):
    assert text_kind(text) == kind
