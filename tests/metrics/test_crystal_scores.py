import numpy as np
import pytest
from numpy.testing import assert_allclose

from kmatgen.errors import InputError
from kmatgen.metrics.crystal_published import PUBLISHED
from kmatgen.metrics.crystal_scores import score_crystals, score_rows
from kmatgen.representations import CrystalTable

from .crystals import broken, cubic, perovskites

REAL = perovskites([3.9, 4.0, 4.1, 4.2], [[38, 22, 8, 8, 8], [20, 40, 8, 8, 7], [56, 72, 7, 7, 8], [12, 25, 9, 9, 9]])


def test_real_crystals_against_themselves():
    scores = score_crystals(REAL, REAL, REAL)
    for name in ("structurally_valid", "overlap_reference", "lattice_error_matched", "cov_recall", "cov_precision"):
        assert scores[name] == 1, name
    for name in ("lattice_error", "space_group_distance", "novel"):
        assert scores[name] == 0, name
    assert scores["unique"] == scores["valid"]


def test_broken_crystals_count_as_invalid_and_do_not_spoil_the_rest():
    scores = score_crystals(broken(REAL), REAL, REAL[:2])
    assert scores["structurally_valid"] == 0.5
    assert scores["cov_precision"] == 0.5
    assert scores["cov_recall"] == 1
    assert_allclose(scores["overlap_training"], 2 / 8)
    assert np.isfinite(list(scores.values())).all()


def test_nothing_valid_gives_nan_and_no_error():
    scores = score_crystals(broken(REAL)[4:], REAL, REAL)
    assert scores["valid"] == scores["unique"] == scores["novel"] == scores["cov_recall"] == 0
    assert np.isnan(scores["density_distance"])
    assert np.isnan(scores["lattice_error"])


def test_keys_say_nothing_of_one_element():
    carbon = cubic([3.5, 3.6], [[6, 6]] * 2, [[0, 0, 0], [0.25, 0.25, 0.25]])
    scores = score_crystals(carbon, carbon, carbon)
    assert scores["cov_recall"] == 1
    assert not {"lattice_error", "overlap_reference", "memorisation"} & set(scores)


def test_what_an_untrained_generator_makes_is_scored(rng):
    lattice = np.concatenate([np.exp(rng.normal(1.2, 1.2, (40, 3))), rng.uniform(0, 180, (40, 3))], axis=1)
    lattice[:6, 0] = [np.nan, np.inf, 0, -4, 1e30, 1e-3]
    lattice[6:10, 3:] = [[1, 1, 1], [120, 120, 119.9999], [180, 90, 90], [0, 0, 0]]
    species = rng.integers(1, 119, (40, 6)) * (np.arange(6) < rng.integers(0, 7, (40, 1)))
    coords = rng.normal(0, 2, (40, 6, 3))
    coords[10:13] = [[[np.nan]], [[1e20]], [[0.0]]]
    scores = score_crystals(CrystalTable(lattice, species, coords, np.zeros(40)), REAL, REAL)
    assert 0 < scores["structurally_valid"] < 0.6
    assert scores["cov_precision"] == 0


def test_nothing_at_all_is_refused():
    with pytest.raises(InputError, match=r"Received: 0 generated, 4 real\.$"):
        score_crystals(REAL[:0], REAL)


def test_published_rows_bear_the_names_of_scores():
    names = set(score_crystals(REAL, REAL))
    for rows in PUBLISHED.values():
        for row in rows:
            assert set(row.scores) <= names
            assert row.source
    assert PUBLISHED["perov_5"][-1].scores["cov_precision"] == 0.9846


def test_rows_to_read_scores_by():
    rows = score_rows(REAL[:3], REAL[2:], REAL[:2], novelty_samples=0)
    assert list(rows) == ["generated", "real", "species shuffled"]
    assert rows["generated"] == score_crystals(REAL[:3], REAL[2:], REAL[:2], novelty_samples=0)
    assert rows["real"]["overlap_training"] == 1
    assert "novel" not in rows["real"]
