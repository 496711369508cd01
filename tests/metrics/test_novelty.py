import numpy as np
import pytest
from numpy.testing import assert_array_equal

from kmatgen.metrics.novelty import Matching, novel, unique

from .crystals import broken, perovskites

SRTIO3, CATIO3 = [38, 22, 8, 8, 8], [20, 22, 8, 8, 8]


def test_novel_crystals():
    training = perovskites([3.9], [SRTIO3])
    generated = perovskites([3.95, 3.9, 3.9], [SRTIO3, CATIO3, [22, 38, 8, 8, 8]])
    generated.coords[0] += 0.27  # another origin
    # The first is in the data; the second has another formula, the third its cations exchanged.
    assert_array_equal(novel(generated, training), [False, True, True])
    assert_array_equal(novel(broken(generated), broken(training)), [False, True, True] + [False] * 4)


def test_a_larger_cell_is_the_same_crystal():
    training = perovskites([3.9], [SRTIO3])
    doubled = training.structures()[0].make_supercell([2, 1, 1])
    generated = type(training).from_structures([doubled])
    assert_array_equal(novel(generated, training), [False])


def test_volumes_far_apart_are_different_unless_asked():
    training, blown_up = perovskites([3.9], [SRTIO3]), perovskites([5.2], [SRTIO3])
    assert_array_equal(novel(blown_up, training), [True])
    assert_array_equal(novel(blown_up, training, Matching(volume_ratio=np.inf)), [False])


def test_unique_crystals():
    generated = perovskites([3.9, 3.9, 3.95], [SRTIO3, CATIO3, SRTIO3])
    assert_array_equal(unique(generated), [True, True, False])
    assert_array_equal(unique(broken(generated)), [True, True, False] + [False] * 4)
    assert_array_equal(unique(generated[:0]), np.zeros(0, bool))


@pytest.mark.slow
def test_two_processes_find_the_same():
    generated = perovskites([3.9, 3.9, 3.95], [SRTIO3, CATIO3, SRTIO3])
    assert_array_equal(unique(generated, jobs=2), [True, True, False])
    assert_array_equal(novel(generated, generated[:2], jobs=2), [False] * 3)
