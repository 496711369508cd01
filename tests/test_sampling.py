import json

import numpy as np
import pytest

import kmatgen as kg
from kmatgen import sampling
from kmatgen.data.crystals import read_crystals
from kmatgen.sampling import beyond_data, class_ids, write_samples


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


class NearlyRockSalt:
    """Makes crystals that are rock salt but for a hundredth of an Angstrom, and one that is none."""

    steps = None

    def generate(self, n, condition, *, seed):
        rng = np.random.default_rng(seed)
        lattice = np.tile([4.0, 4.0, 4.0, 60.0, 60.0, 60.0], (n, 1))
        lattice[0] = np.nan
        coords = np.tile([[0.0, 0, 0], [0.5, 0.5, 0.5]], (n, 1, 1)) + rng.normal(0, 0.002, (n, 2, 3))
        return {"lattice": lattice, "species": np.tile([11, 17], (n, 1)), "coords": coords, "mask": np.ones((n, 2))}


def test_crystals_are_written_in_their_symmetry(tmp_path, monkeypatch):
    monkeypatch.setattr(sampling, "open_generator", lambda model, which: NearlyRockSalt())
    write_samples(tmp_path / "model", 3, 0, tmp_path / "out")
    assert (
        read_crystals(tmp_path / "out" / "cif", symprec=None, duplicates=True).table.space_group.tolist() == [225] * 2
    )
    kept = np.load(tmp_path / "out" / "samples.npz")["coords"]
    assert np.abs(kept[:, 0]).max() > 1e-3  # as the model made them
