import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen.errors import InputError
from kmatgen.metrics import crystal_fingerprints as module
from kmatgen.metrics.crystal_fingerprints import crystal_digests, fingerprint_crystals, structure_fingerprints

from .crystals import broken, cubic, perovskites

TABLE = perovskites([3.9, 4.0], [[38, 22, 8, 8, 8], [20, 40, 8, 8, 7]])


def test_diamond_is_tetrahedral():
    face_centred = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    diamond = cubic(3.57, [6] * 8, np.concatenate([face_centred, face_centred + 0.25]))
    found = structure_fingerprints(diamond)[0]
    # Columns: 1 neighbour has 2, 2 have 6, 3 have 4; then the probability of 4 and its motifs.
    assert found.shape == (61,)
    assert_allclose(found[12], 1)
    assert_allclose(found[14], 1, rtol=1e-6)
    assert_array_equal(np.flatnonzero(found[:12]), [])
    assert_array_equal(np.flatnonzero(found[18:]), [])


def test_rows_that_have_none_are_nan():
    table = broken(TABLE)
    table.species[0, 0] = 100
    found = fingerprint_crystals(table)
    assert_array_equal(np.isnan(found.structure).all(axis=1), [True, False, True, True, True, True])
    assert_array_equal(np.isnan(found.structure).any(axis=1), [True, False, True, True, True, True])
    assert found.composition.shape == (6, 132)


def test_equal_crystals_are_computed_once_and_kept(tmp_path, monkeypatch):
    computed = []
    original = module._ops
    monkeypatch.setattr(module, "_ops", lambda table: computed.append(len(table)) or original(table))
    first = structure_fingerprints(TABLE[[0, 1, 0]], cache=tmp_path)
    assert computed == [2]
    assert_array_equal(first[0], first[2])
    again = structure_fingerprints(TABLE[[1, 0]], cache=tmp_path)
    assert computed == [2]
    assert_array_equal(again, first[[1, 0]])
    assert [path.name for path in tmp_path.iterdir()] == ["crystal-kmatgen-1.npz"]


def test_a_block_of_broken_crystals():
    assert np.isnan(structure_fingerprints(broken(TABLE)[2:])).all()
    assert structure_fingerprints(TABLE[:0]).shape == (0, 61)


def test_digests_know_content():
    moved = TABLE[[0, 0]]
    moved.coords[1] -= 1
    assert len(set(crystal_digests(moved))) == 1
    moved.coords[1, 0, 0] = 1e-6
    assert len(set(crystal_digests(moved))) == 2
    assert crystal_digests(TABLE.with_sites(9)) == crystal_digests(TABLE)


def test_unknown_and_missing_backends():
    with pytest.raises(InputError, match="kmatgen, matminer"):
        structure_fingerprints(TABLE, backend="ase")
    with pytest.raises(InputError, match="pip install"):
        structure_fingerprints(TABLE, backend="matminer")


def test_two_processes_give_the_same():
    assert_array_equal(structure_fingerprints(TABLE, jobs=2), structure_fingerprints(TABLE))
