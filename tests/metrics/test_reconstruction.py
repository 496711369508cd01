import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen.errors import InputError
from kmatgen.metrics.reconstruction import matched_distances, reconstruction_rate

from .crystals import broken, perovskites

TABLE = perovskites([3.9, 4.0, 4.1], [[38, 22, 8, 8, 8], [20, 40, 8, 8, 7], [56, 72, 7, 7, 8]])


def test_distance_by_hand():
    moved = TABLE[[0]]
    moved.coords[0, 1, 2] += 0.05  # titanium, by .195 A; with the common shift that brings all as near as possible
    shifts = np.array([0.05 - 0.01, *[0.01] * 4]) * 3.9
    expected = np.sqrt((shifts**2).mean()) / (3.9**3 / 5) ** (1 / 3)
    assert_allclose(matched_distances(TABLE[[0]], moved), [expected], rtol=1e-6)


def test_rate_and_distance():
    decoded = TABLE[[0, 0, 2]]  # the second became another crystal
    decoded.coords[2] += 0.4  # the origin does not matter
    found = reconstruction_rate(TABLE, decoded)
    assert_allclose(found, (2 / 3, 0), atol=1e-6)


def test_broken_crystals_do_not_match():
    bad = broken(TABLE)
    assert_array_equal(np.isfinite(matched_distances(bad, bad)), [True] * 3 + [False] * 4)
    nothing = reconstruction_rate(bad[3:], bad[3:])
    assert nothing.match_rate == 0
    assert np.isnan(nothing.rms)


def test_tables_of_two_lengths():
    with pytest.raises(InputError, match=r"Received: 3 and 2\.$"):
        reconstruction_rate(TABLE, TABLE[:2])
