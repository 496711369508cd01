import importlib.util

import numpy as np
import pytest
import tensorflow_datasets as tfds
from numpy.testing import assert_array_equal

from kmatgen.data import crystals_tfds
from kmatgen.data.crystal_reading import ReadOptions
from kmatgen.data.crystals import read_crystals
from kmatgen.data.crystals_tfds import first_of_equal, prepare_crystals, prepared_crystals
from kmatgen.errors import InputError
from tests.data.cifs import cif, plain

# TFDS 4.9.10 with the older protobuf that Beam 2.77 brings.
pytestmark = pytest.mark.filterwarnings("ignore:label.. is deprecated:DeprecationWarning")

BEAM = importlib.util.find_spec("apache_beam") is not None


@pytest.fixture
def table(tmp_path):
    """A csv table of seven crystals: two equal, one that is none."""
    texts = [plain(a=4.0 + 0.1 * row) for row in range(4)] + ["", plain(a=4.1), cif()]
    rows = [f'{row},{row / 2},"{text}"' for row, text in enumerate(texts)]
    (tmp_path / "mine.csv").write_text("\n".join(["id,gap,cif", *rows]) + "\n", encoding="utf-8")
    return tmp_path / "mine.csv"


@pytest.fixture(params=["in this process", pytest.param("beam", marks=pytest.mark.skipif(not BEAM, reason="no Beam"))])
def way(request, monkeypatch):
    """With Beam where it is installed, and without it."""
    if request.param != "beam":
        monkeypatch.setattr(crystals_tfds.importlib.util, "find_spec", lambda name: None)
    return request.param


def same(one, other):
    for name in ("lattice", "species", "coords", "space_group", "origin"):
        assert_array_equal(getattr(one.table, name), getattr(other.table, name))
    assert list(one.table.properties) == list(other.table.properties)
    assert_array_equal(one.table.properties["gap"], other.table.properties["gap"])
    assert list(one.report) == list(other.report)


def test_the_same_table_as_read_crystals(table, tmp_path, way):
    options = {"cell": "niggli", "order": "position"}
    builder = prepare_crystals(table, tmp_path / "sets", options=ReadOptions(**options), part=2)
    expected = read_crystals(table, **options)
    assert expected.report.counts == {"empty": 1, "duplicate": 1}
    same(prepared_crystals(builder), expected)
    assert builder.info.full_name == "crystal_collection/mine/1.0.0"
    reopened = tfds.builder_from_directory(builder.data_dir)
    same(prepared_crystals(reopened), expected)


def test_finished_parts_are_not_read_again(table, tmp_path, way, monkeypatch):
    (tmp_path / "read").mkdir()
    builder = prepare_crystals(table, tmp_path / "sets", part=2)
    times = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "sets").rglob("*.report.json.gz")}
    assert len(times) == 4
    # The set itself is lost, as after a failure while it was written; its parts are not.
    for path in (tmp_path / "sets").rglob("*.tfrecord*"):
        path.unlink()
    (builder.data_path / "dataset_info.json").unlink()
    (builder.data_path / "features.json").unlink()
    (builder.data_path / "refused.csv").unlink()
    builder.data_path.rmdir()
    again = prepare_crystals(table, tmp_path / "sets", part=2)
    same(prepared_crystals(again), read_crystals(table))
    assert times == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "sets").rglob("*.report.json.gz")}


def test_duplicates_may_stay(table, tmp_path, way):
    found = prepared_crystals(prepare_crystals(table, tmp_path / "sets", part=3, duplicates=True))
    expected = read_crystals(table, duplicates=True)
    assert len(found) == len(expected) > len(read_crystals(table))
    same(found, expected)


def test_examples(table, tmp_path):
    builder = prepare_crystals(table, tmp_path / "sets")
    (example,) = [e for e in tfds.as_numpy(builder.as_dataset(split="train")) if len(e["species"]) == 8]
    assert example["properties"] == {"gap": 3.0}
    assert example["coords"].shape == (8, 3)
    assert example["space_group"] == 225


def test_first_of_equal_crystals():
    group = [{"number": number, "origin": f"row {number}", "equal": []} for number in (5, 2, 9)]
    number, example = first_of_equal("key", group)
    assert (number, example["origin"]) == (2, "row 2")
    assert [other["origin"] for other in example["equal"]] == ["row 5", "row 9"]


def test_a_runner_needs_beam(table, tmp_path, monkeypatch):
    monkeypatch.setattr(crystals_tfds.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install 'kmatgen.beam.'. Received: runner='FlinkRunner'"):
        prepare_crystals(table, tmp_path, runner="FlinkRunner")


@pytest.mark.skipif(not BEAM, reason="no Beam")
def test_runners_and_options_by_name(table, tmp_path):
    workers = ["--direct_num_workers=2", "--direct_running_mode=multi_threading"]
    builder = prepare_crystals(
        table,
        tmp_path / "sets",
        runner="apache_beam.runners.direct.direct_runner.BundleBasedDirectRunner",
        beam_options=workers,
    )
    same(prepared_crystals(builder), read_crystals(table))
    assert np.isfinite(prepared_crystals(builder).table.lattice).all()
