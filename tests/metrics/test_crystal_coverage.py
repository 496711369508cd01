import numpy as np
import pytest
from numpy.testing import assert_allclose

from kmatgen.errors import InputError
from kmatgen.metrics import crystal_coverage
from kmatgen.metrics.crystal_coverage import Fingerprints, coverage


def fingerprints(structure, composition):
    return Fingerprints(np.array(structure, float)[:, None], np.array(composition, float)[:, None])


def test_coverage_by_hand():
    generated = fingerprints([0.0, 0.1, 5.0, np.nan], [0.0, 100.0, 3.0, 0.0])
    reference = fingerprints([0.1, 1.0], [0.0, 2.0])
    found = coverage(generated, reference)
    # The first real crystal has a structure at 0 and a composition at 0; the second is .9 away from any structure.
    assert_allclose(found.recall, 0.5)
    # Only the first generated one has both: the second misses in composition, the third in structure.
    assert_allclose(found.precision, 0.25)
    assert_allclose(found.structure_recall_distance, (0 + 0.9) / 2)
    assert_allclose(found.structure_precision_distance, (0.1 + 0 + 4) / 3)
    assert_allclose(found.composition_recall_distance, (0 + 1) / 2)
    assert_allclose(found.composition_precision_distance, (0 + 98 + 1) / 3)


def test_structure_and_composition_may_come_from_different_crystals():
    generated = fingerprints([0.0, 9.0], [50.0, 1.0])
    assert coverage(generated, fingerprints([0.0], [1.0])).recall == 1.0


def test_blocks_change_nothing(rng, monkeypatch):
    generated = Fingerprints(rng.random((40, 3)), rng.random((40, 5)) * 9)
    reference = Fingerprints(rng.random((30, 3)), rng.random((30, 5)) * 9)
    whole = coverage(generated, reference)
    assert 0 < whole.recall < 1
    monkeypatch.setattr(crystal_coverage, "_BLOCK", 100)
    assert_allclose(coverage(generated, reference), whole)


def test_nothing_generated_covers_nothing():
    found = coverage(fingerprints([np.nan], [0.0]), fingerprints([0.0], [1.0]))
    assert found[:2] == (0.0, 0.0)
    assert np.isnan(found[2:]).all()


def test_fingerprints_of_two_kinds_are_refused():
    with pytest.raises(InputError, match=r"Received: \(1, 1\) and \(1, 2\)\.$"):
        coverage(fingerprints([0.0], [0.0]), Fingerprints(np.zeros((1, 2)), np.zeros((1, 1))))
