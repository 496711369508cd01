import numpy as np
from numpy.testing import assert_allclose

from kmatgen.metrics.composition_fingerprints import (
    PROPERTIES,
    STATISTICS,
    composition_statistics,
    element_properties,
    standardised,
)
from kmatgen.metrics.composition_scale import DEVIATIONS, MEANS

from .crystals import broken, perovskites

TABLE = perovskites([3.9, 4.0], [[38, 22, 8, 8, 8], [38, 22, 8, 8, 7]])


def test_numbers_of_strontium_titanate_by_hand():
    found = composition_statistics(TABLE)[0].reshape(len(PROPERTIES), len(STATISTICS))
    mean = (38 + 22 + 24) / 5
    deviation = (38 - mean + 22 - mean + 3 * (mean - 8)) / 5
    assert_allclose(found[0], [8, 38, 30, mean, deviation, 8])
    weights = np.array([87.62, 47.867, 15.9994])
    assert_allclose(found[PROPERTIES.index("AtomicWeight"), 3], (weights * [1, 1, 3]).sum() / 5, rtol=1e-4)


def test_of_equally_frequent_elements_the_mode_is_the_least():
    found = composition_statistics(perovskites(4.0, [38, 22, 8, 8, 22])).reshape(len(PROPERTIES), -1)
    assert found[0, -1] == 8


def test_rows_without_known_atoms_are_nan():
    table = broken(TABLE)
    table.species[0, 0] = 100
    unknown = np.isnan(composition_statistics(table)).all(axis=1)
    assert unknown.tolist() == [True, False, False, False, False, True]


def test_elements():
    properties = element_properties()
    assert_allclose(properties[1:98, 0], np.arange(1, 98))
    assert np.isnan(properties[[0, 98, 118]]).all()
    assert properties[8, PROPERTIES.index("Electronegativity")] == 3.44


def test_scale():
    assert MEANS.shape == DEVIATIONS.shape == (132,)
    assert_allclose(standardised(MEANS[None] + 2 * DEVIATIONS), 2)
