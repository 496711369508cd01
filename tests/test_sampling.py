import json

import pytest

import kmatgen as kg
from kmatgen.sampling import beyond_data, class_ids


@pytest.mark.parametrize("is_run", [True, False])
def test_what_lies_beyond_the_data_is_said(is_run, tmp_path):
    data = {"phase_fractions": [[0.2, 0.1], [0.6, 0.4]]}
    (tmp_path / ("data.json" if is_run else "manifest.json")).write_text(json.dumps(data if is_run else {"data": data}))
    if is_run:
        (tmp_path / "config.json").write_text("{}")
    for near in (None, [0.2, 0.4], [0.12, 0.45], [[0.3, 0.1], [0.6, 0.2]]):
        assert beyond_data(tmp_path, near) is None
    assert beyond_data(tmp_path, [0.05, 0.2]) == (
        "Held-out images have phase fractions from 0.2 to 0.6, 0.1 to 0.4; what lies beyond is a guess. "
        "Asked: [0.05, 0.2]."
    )


def test_nothing_is_known_of_other_models(tmp_path):
    assert beyond_data(tmp_path, 5) is None


def test_classes_may_be_named(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps({"data": {"class_names": ["ferrite", "pearlite"]}}))
    assert class_ids(tmp_path, "pearlite") == 1
    assert class_ids(tmp_path, ["pearlite", "ferrite", 1]) == [1, 0, 1]
    assert class_ids(tmp_path, 0.3) == 0.3
    with pytest.raises(kg.InputError, match=r"one of ferrite, pearlite\. Received: 'steel'\."):
        class_ids(tmp_path, "steel")


def test_nothing_can_be_named_without_classes(tmp_path):
    with pytest.raises(kg.InputError, match=r"as JSON, such as 3.* Received: 'steel'\."):
        class_ids(tmp_path, "steel")
