from pathlib import Path

import pytest
from etils import epath

from kmatgen.files import completed


@pytest.mark.parametrize("kind", [Path, epath.Path])
def test_a_file_takes_its_place_when_it_is_written(tmp_path, kind):
    path = kind(tmp_path) / "new" / "table.csv"
    for text in ("one", "two"):
        with completed(path) as partial:
            assert partial.suffix == ".csv"
            partial.write_text(text)
        assert path.read_text() == text
    assert [each.name for each in path.parent.iterdir()] == ["table.csv"]


@pytest.mark.parametrize("kind", [Path, epath.Path])
@pytest.mark.parametrize("failure", [OSError, KeyboardInterrupt])
def test_a_failure_leaves_what_was_there(tmp_path, kind, failure):
    path = kind(tmp_path) / "table.csv"
    path.write_text("before")

    def fail(partial):
        partial.write_text("half")
        raise failure

    with pytest.raises(failure), completed(path) as partial:
        fail(partial)
    assert path.read_text() == "before"
    assert [each.name for each in path.parent.iterdir()] == ["table.csv"]


def test_a_failure_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="nothing"), completed(tmp_path / "a.npz"):
        raise ValueError("nothing")
    assert not list(tmp_path.iterdir())
