import csv
import math

import pytest

from kmatgen.data.crystal_entries import find_entries, holds_crystals
from kmatgen.errors import InputError
from tests.data.cifs import cif


@pytest.fixture
def table(tmp_path):
    """Writes a csv table and returns its path."""

    def write(text, encoding="utf-8"):
        path = tmp_path / "t.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_columns_by_name_and_by_content(table):
    path = table(f'number,text,other,cif2\n1,plain,"{cif()}","{cif(name="second")}"\n')
    assert find_entries(path)[0].content.startswith("data_NaCl")
    assert find_entries(path, column="cif2")[0].content.startswith("data_second")


def test_numbers_are_properties_but_for_row_numbers_and_names(table):
    path = table(f',material_id,gap,stable,formula,cif\n5,17,1.5,True,NaCl,"{cif()}"\n')
    (entry,) = find_entries(path)
    assert entry.origin == "t.csv row 1 (17)"
    assert entry.properties == {"gap": 1.5}


def test_numbers_that_are_not_known(table):
    path = table(f'gap,cif\n1.5,"{cif()}"\n" ","{cif()}"\nnan,"{cif()}"\n,"{cif()}"\n')
    gaps = [entry.properties["gap"] for entry in find_entries(path)]
    assert gaps[0] == 1.5
    assert all(math.isnan(gap) for gap in gaps[1:])


def test_rows_without_a_text_and_foreign_characters(table):
    path = table(f'name,cif\nMendel\u00e9ev,"{cif()}"\nnone,\n', encoding="latin-1")
    one, two = find_entries(path)
    assert one.origin == "t.csv row 1 (Mendel\ufffdev)"
    assert two.content == ""


def test_a_single_file(tmp_path):
    (tmp_path / "a.cif").write_text(cif())
    (entry,) = find_entries(tmp_path / "a.cif")
    assert (entry.origin, entry.kind) == ("a.cif", "cif")


def test_hidden_files_are_passed_over(tmp_path):
    (tmp_path / "__MACOSX").mkdir()
    for name in (".hidden.cif", "__MACOSX/a.cif", "b.cif"):
        (tmp_path / name).write_text(cif())
    assert [entry.origin for entry in find_entries(tmp_path)] == ["b.cif"]


def test_a_folder_with_one_table(table):
    path = table(f'gap,cif\n1.5,"{cif()}"\n')
    assert holds_crystals(path.parent)
    assert find_entries(path.parent)[0].origin == "t.csv row 1"
    (path.parent / "test.csv").touch()
    with pytest.raises(InputError, match="with t.csv, test.csv; name one of these|with test.csv, t.csv; name one"):
        find_entries(path.parent)


def test_a_folder_is_what_most_of_its_files_are(tmp_path):
    assert holds_crystals("prototypes")
    assert not holds_crystals(tmp_path)
    for name in ("a.png", "b.tif", "metadata.json"):
        (tmp_path / name).touch()
    assert not holds_crystals(tmp_path)
    for name in ("a.cif", "b.cif"):
        (tmp_path / name).touch()
    assert holds_crystals(tmp_path)
    assert holds_crystals(tmp_path / "a.cif")
    assert not holds_crystals(tmp_path / "gone")


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("a,b\n1,x\n", {}, "No column of the table holds CIF or JSON texts.* with a, b"),
        ("a,b\n1,x\n", {"column": "cif"}, "has the columns a, b. Received: column='cif'"),
        ("", {}, "is a csv file with a header"),
        ('a,b\n1,2,3\n4,5,6,7,"', {}, "is a csv file with a header"),
        (f'a;b\n1;"{cif()}"\n', {}, "with a header and commas between columns"),
        ("PK\0\1", {}, "csv file of plain text. Received: .*t.csv, which is none"),
    ],
)
def test_tables_that_cannot_be_used(table, text, arguments, message):
    with pytest.raises(InputError, match=message):
        find_entries(table(text), **arguments)


def test_long_texts_where_a_limit_is_a_number_of_32_bits(table, monkeypatch):
    set_limit, before = csv.field_size_limit, csv.field_size_limit()

    def of_32_bits(limit):
        if limit >= 2**31:
            raise OverflowError("Python int too large to convert to C long")
        return set_limit(limit)

    monkeypatch.setattr(csv, "field_size_limit", of_32_bits)
    (entry,) = find_entries(table(f'cif\n"{cif()}{"#" * 200_000}"\n'))
    assert len(entry.content) > 200_000
    assert set_limit() == before
