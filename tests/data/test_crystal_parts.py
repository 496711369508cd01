import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from kmatgen.data import crystal_parts
from kmatgen.data.cleaning import RefusedEntry
from kmatgen.data.crystal_entries import find_entries
from kmatgen.data.crystal_files import Entry
from kmatgen.data.crystal_parts import load_part, read_part, write_parts
from kmatgen.data.crystal_reading import ReadOptions, read_entries
from kmatgen.data.crystals import read_crystals
from tests.data.cifs import cif, plain
from tests.representations.crystals import triclinic


@pytest.fixture
def table(tmp_path):
    """A csv table of seven crystals: two equal, one that is none."""
    texts = [plain(a=4.0 + 0.1 * row) for row in range(4)] + ["", plain(a=4.1), cif()]
    rows = [f'{row},"{text}"' for row, text in enumerate(texts)]
    (tmp_path / "t.csv").write_text("\n".join(["gap,cif", *rows]) + "\n", encoding="utf-8")
    return tmp_path / "t.csv"


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(crystal_parts, "PART", 2)


def same(one, other):
    for name in ("lattice", "species", "coords", "space_group", "origin"):
        assert_array_equal(getattr(one.table, name), getattr(other.table, name))
    assert_array_equal(one.table.properties["gap"], other.table.properties["gap"])
    assert list(one.report) == list(other.report)


@pytest.mark.parametrize("jobs", [1, 2])
def test_parts_give_the_same_table(table, tmp_path, jobs):
    options = {"cell": "niggli", "order": "position"}
    expected = read_crystals(table, **options)
    assert expected.report.counts == {"empty": 1, "duplicate": 1}
    same(read_crystals(table, **options, parts=tmp_path / "parts", jobs=jobs), expected)


def test_finished_parts_are_not_read_again(table, tmp_path, monkeypatch):
    read, before = [], crystal_parts.read_entries
    monkeypatch.setattr(
        crystal_parts, "read_entries", lambda entries, options: read.append(entries) or before(entries, options)
    )
    names = write_parts(find_entries(table), ReadOptions(), tmp_path / "parts", 2)
    assert len(names) == 4
    for name in names[:3]:  # then the machine fails
        read_part(name, tmp_path / "parts")
    same(read_crystals(table, parts=tmp_path / "parts"), read_crystals(table))
    assert len(read) == 4
    read_crystals(table, parts=tmp_path / "parts", symprec=0.1)  # other options, other parts
    assert len(read) == 8
    text = table.read_text().replace("4.3", "4.35")
    table.write_text(text)
    read_crystals(table, parts=tmp_path / "parts")  # one part has changed
    assert len(read) == 9


def test_nothing_unfinished_stays(table, tmp_path):
    read_crystals(table, parts=tmp_path / "parts")
    names = {path.name.split(".", 1)[1] for path in (tmp_path / "parts").iterdir()}
    assert names == {"entries.json.gz", "report.json.gz", "table.npz"}


def test_other_machines_do_not_need_the_files(tmp_path):
    (tmp_path / "cifs").mkdir()
    (tmp_path / "cifs" / "a.cif").write_bytes("# Mendel\u00e9ev\n".encode("latin-1") + cif().encode())
    (name,) = write_parts(find_entries(tmp_path / "cifs"), ReadOptions(), tmp_path / "parts")
    (tmp_path / "cifs" / "a.cif").unlink()
    share = load_part(read_part(name, tmp_path / "parts"), tmp_path / "parts")
    assert_array_equal(share.table.n_sites, [8])
    assert share.table.origin[0] == "a.cif"


def test_structures_too(tmp_path):
    structures = triclinic(3).structures()
    one, two = read_crystals(structures), read_crystals(structures, parts=tmp_path)
    assert_array_equal(one.table.species, two.table.species)
    np.testing.assert_allclose(one.table.coords, two.table.coords, atol=1e-12)


def test_parts_say_the_same_of_files(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.cif").write_text(cif(), encoding="utf-8")
    named = [{"id": f"{name}-phase", "structure": triclinic(1).structures()[0].as_dict()} for name in "\u03b1\u03b2"]
    (folder / "b.json").write_text(json.dumps(named, ensure_ascii=False), encoding="utf-8-sig")
    entries = [*find_entries(folder), Entry("gone.cif", folder / "gone.cif", "cif")]
    expected = read_entries(entries, ReadOptions())
    (name,) = write_parts(entries, ReadOptions(), tmp_path / "parts")
    found = load_part(read_part(name, tmp_path / "parts"), tmp_path / "parts")
    assert found.refused == expected.refused == [RefusedEntry("gone.cif", "unreadable", "No such file or directory")]
    assert_array_equal(found.table.origin, expected.table.origin)
    assert found.table.origin[1:].tolist() == ["b.json#\u03b1-phase", "b.json#\u03b2-phase"]
    assert found.keys == expected.keys
