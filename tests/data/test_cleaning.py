"""A folder in which everything that can be wrong with a crystal occurs once: each named, the good ones go on."""

import csv

import pytest

from kmatgen.data.cleaning import REASONS, CleaningReport, RefusedEntry
from kmatgen.data.crystals import read_crystals
from kmatgen.errors import InputError
from tests.data.cifs import cif, plain

BAD = {
    "empty": b"",
    "unreadable": b"\x89PNG\x00\x01",
    "missing coordinates": cif(("Na Na1 ? 0 0 1",)).encode(),
    "unknown element": cif(("Qq Qq1 0 0 0 1",)).encode(),
    "disordered": cif(("Na Na1 0 0 0 0.7", "K K1 0 0 0 0.3")).encode(),
    "too many sites": cif([f"Na Na{row} {row / 10_000} 0 0 1" for row in range(10_000)], symmetry="").encode(),
    "zero volume": cif(cell=(5, 5, 0, 90, 90, 90)).encode(),
    "overlapping sites": plain("Na Cl", spread=0.01).encode(),
    "duplicate": cif().encode(),
    "missing atoms": plain().replace("loop_", "_chemical_formula_sum 'H Na Cl'\nloop_").encode(),
}


@pytest.fixture(scope="module")
def crystals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("collection")
    (folder / "a good one.cif").write_text(cif())
    (folder / "b good one.cif").write_bytes("# Mendel\u00e9ev\n".encode("latin-1") + plain().encode())
    for number, (reason, content) in enumerate(BAD.items()):
        (folder / f"{number} {reason}.cif").write_bytes(content)
    return read_crystals(folder, symprec=0.01)


def test_each_reason_is_counted_once(crystals):
    # The file "8 duplicate" stands before the two good ones: the later of two equal ones is refused.
    assert list(crystals.table.origin) == ["8 duplicate.cif", "b good one.cif"]
    assert crystals.report.counts == dict.fromkeys(BAD, 1)
    for entry in crystals.report:
        assert entry.reason in (entry.origin if entry.reason != "duplicate" else "duplicate")
        assert entry.detail.endswith(".") or entry.reason == "unreadable"


def test_the_report_in_words_and_as_csv(crystals, tmp_path):
    assert str(crystals.report).startswith("2 crystals accepted, 10 refused (empty: 1; unreadable: 1; ")
    with crystals.report.write_csv(tmp_path / "refused.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["reason"] for row in rows] == [entry.reason for entry in crystals.report]
    assert list(rows[0]) == ["origin", "reason", "detail"]


def test_counts_stand_in_the_order_of_the_reasons():
    report = CleaningReport([RefusedEntry("x", reason, "") for reason in reversed(REASONS)], accepted=3)
    assert list(report.counts) == list(REASONS)
    assert str(CleaningReport(accepted=3)) == "3 crystals accepted, 0 refused"


def test_strict_stops_at_the_first(tmp_path):
    (tmp_path / "a.cif").write_text(plain())
    (tmp_path / "b.cif").write_text("")
    with pytest.raises(InputError, match=r"b.cif is refused: empty. There is no text. Received: "):
        read_crystals(tmp_path, strict=True)


def test_nothing_usable(tmp_path):
    (tmp_path / "b.cif").write_text("")
    with pytest.raises(InputError, match=r"No crystal of .* can be used. b.cif is refused: empty."):
        read_crystals(tmp_path)
