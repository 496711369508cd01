import numpy as np
import pytest

import kmatgen as kg
from kmatgen.data.crystals import read_crystals
from kmatgen.evaluation import crystals
from kmatgen.evaluation.compare import compare_models

ROWS = {
    "generated": {"valid": 0.9, "density_distance": 0.5, "novel": 0.8, "memorisation": 0.1},
    "real": {"valid": 0.8, "density_distance": 0.2, "novel": 0.0, "memorisation": 0.9},
    "species shuffled": {"valid": 0.7, "density_distance": 1.0, "novel": 0.4, "memorisation": 0.3},
}


@pytest.fixture(scope="module")
def table():
    return read_crystals("prototypes", max_sites=4).table[:24]


def test_scores_stand_beside_real_crystals_and_a_baseline(table, monkeypatch):
    monkeypatch.setattr(crystals, "score_rows", lambda *tables, **options: ROWS)
    found = kg.evaluate(table[:8], (table[8:16], table[16:]))
    assert found["valid"].at_floor
    assert (found["density_distance"].verdict, found["density_distance"].unit) == ("2.5 x the floor", "g/cm3")
    assert found["density_distance"].baselines == {"species shuffled": 1.0}
    # Training crystals drawn again are no floor of what they are the worst of.
    assert found["novel"].floor is None
    assert found["memorisation"].baselines == {"species shuffled": 0.3, "training crystals": 0.9}
    assert [score.name for score in kg.evaluate(table[:8], (table[8:16], table[16:]), "valid")] == ["valid"]
    with pytest.raises(kg.InputError, match="A score of crystals is one of.*Received: 'kid'"):
        kg.evaluate(table[:8], (table[8:16], table[16:]), "kid")
    with pytest.raises(kg.InputError, match="Crystals are judged by crystals"):
        kg.evaluate(np.zeros((3, 8, 8, 1)), (table[8:16], table[16:]))


def test_what_is_no_number_is_not_above_the_floor(table, monkeypatch):
    rows = {name: {"lattice_error": np.nan} for name in ROWS}
    monkeypatch.setattr(crystals, "score_rows", lambda *tables, **options: rows)
    found = kg.evaluate(table[:8], (table[8:16], table[16:]))["lattice_error"]
    assert (found.value, found.floor, dict(found.baselines)) == (None, None, {})
    assert found.verdict.startswith("cannot be computed: No generated crystal can be compared")


def test_a_saved_model_is_not_read_as_crystals(table, tmp_path, monkeypatch):
    """Its manifest is a JSON file, as crystals may be."""
    (tmp_path / "saved_model.pb").touch()
    (tmp_path / "manifest.json").write_text("{}")
    fields = {name: getattr(table, name) for name in ("lattice", "species", "coords")}
    monkeypatch.setattr("kmatgen.evaluation.generated.open_samples", lambda path: fields)
    assert len(crystals.draw_crystals(tmp_path, 24, 0)) == 24


def test_samples_that_make_no_crystal_count(table):
    """A share of valid crystals is one of all that were generated."""
    fields = {name: getattr(table, name).copy() for name in ("lattice", "species", "coords")}
    fields["lattice"][::2] = np.nan
    fields["species"][1] = 200
    real = (table[8:16], table[16:])
    assert kg.evaluate(fields, real, "structurally_valid")["structurally_valid"].value == 11 / 24
    nothing = {**fields, "lattice": np.full_like(fields["lattice"], np.nan)}
    assert kg.evaluate(nothing, real, "structurally_valid")["structurally_valid"].value == 0.0


@pytest.mark.slow
def test_a_page_of_crystals_of_which_some_make_no_cell(table, tmp_path):
    some, none = ({name: getattr(table[:8], name).copy() for name in ("lattice", "species", "coords")} for _ in "ab")
    some["lattice"][0], none["lattice"][:] = np.nan, np.nan
    tables, page = compare_models({"some": some, "none": none}, (table[8:16], table[16:]), tmp_path / "out")
    assert (tables["some"]["structurally_valid"].value, tables["none"]["structurally_valid"].value) == (7 / 8, 0.0)
    assert page.read_text().count("data:image/png;base64,") == 3 + 1


@pytest.mark.slow
def test_a_page_of_crystals(table, tmp_path):
    tables, page = compare_models({"a": table[:8], "b": table[8:16]}, (table[8:16], table[16:]), tmp_path / "out")
    assert tables["b"]["overlap_training"].value == 1.0
    assert page.read_text().count("data:image/png;base64,") == 3 + 1
