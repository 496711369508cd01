import numpy as np
from numpy.testing import assert_allclose

from kmatgen.metrics.crystal_coverage import Fingerprints
from kmatgen.metrics.crystal_published import PUBLISHED
from kmatgen.metrics.crystal_scores import score_crystals

from .crystals import broken, perovskites

REAL = perovskites([3.9, 4.0, 4.1, 4.2], [[38, 22, 8, 8, 8], [20, 40, 8, 8, 7], [56, 72, 7, 7, 8], [12, 25, 9, 9, 9]])


def test_real_crystals_against_themselves():
    scores = score_crystals(REAL, REAL)
    assert scores["structurally_valid"] == 1
    assert scores["overlap_reference"] == 1
    assert scores["lattice_error"] == 0
    assert scores["lattice_error_matched"] == 1


def test_broken_crystals_count_as_invalid_and_do_not_spoil_the_rest():
    scores = score_crystals(broken(REAL), REAL, REAL[:2])
    assert scores["structurally_valid"] == 0.5
    assert_allclose(scores["overlap_training"], 2 / 8)
    assert np.isfinite(list(scores.values())).all()


def test_nothing_valid_gives_nan_and_no_error():
    scores = score_crystals(broken(REAL)[4:], REAL)
    assert scores["valid"] == 0
    assert np.isnan(scores["density_distance"])
    assert np.isnan(scores["lattice_error"])


def test_coverage_with_fingerprints_at_hand():
    same = Fingerprints(np.zeros((4, 61)), np.zeros((4, 132)))
    scores = score_crystals(REAL, REAL, fingerprints=(same, same))
    assert (scores["cov_recall"], scores["cov_precision"]) == (1, 1)


def test_published_rows_bear_the_names_of_scores():
    same = Fingerprints(np.zeros((4, 61)), np.zeros((4, 132)))
    names = set(score_crystals(REAL, REAL, fingerprints=(same, same)))
    for rows in PUBLISHED.values():
        for row in rows:
            assert set(row.scores) <= names
            assert row.source
    assert PUBLISHED["perov_5"][-1].scores["cov_precision"] == 0.9846
