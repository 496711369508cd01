import numpy as np
import pytest
from numpy.testing import assert_allclose
from pymatgen.analysis.local_env import LocalStructOrderParams
from pymatgen.core import Site

from kmatgen.metrics.order_parameters import local_order, motifs

AXES = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], float)
IDEAL = {
    (2, "linear"): AXES[:2],
    (2, "L-shaped"): AXES[[0, 2]],
    (3, "T-shaped"): AXES[[0, 1, 2]],
    (4, "square co-planar"): AXES[:4],
    (4, "tetrahedral"): np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / 3**0.5,
    (5, "square pyramidal"): AXES[:5],
    (6, "octahedral"): AXES,
}


def names(number):
    return [motif.name for motif in motifs()[number]]


def test_there_are_37_motifs_for_1_to_12_neighbours():
    assert list(motifs()) == list(range(1, 13))
    assert sum(len(found) for found in motifs().values()) == 37


@pytest.mark.parametrize(("number", "name"), IDEAL)
def test_ideal_shapes_score_one(number, name):
    found = local_order(IDEAL[number, name][None])[0]
    assert_allclose(found[names(number).index(name)], 1, rtol=1e-6)
    assert np.argmax(found) == names(number).index(name)


@pytest.mark.parametrize("number", range(1, 13))
def test_the_same_as_atom_by_atom_in_pymatgen(number, rng):
    grid = np.array(list(np.ndindex(3, 3, 3))) - 1.0
    grid = grid[np.abs(grid).sum(axis=1) > 0]
    shapes = [rng.permutation(grid)[:number] + spread * rng.normal(size=(number, 3)) for spread in (0, 0.05, 0.1, 1)]
    vectors = np.array(shapes)
    found = local_order(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
    for motif, values in zip(motifs()[number], found.T, strict=True):
        plain = motif.kind in ("sgl_bd", "steinhardt")
        kind = motif.name if motif.kind == "steinhardt" else motif.kind
        peer = LocalStructOrderParams([kind], parameters=[None if plain else dict(motif.parameters)])
        for shape, value in zip(vectors, values, strict=True):
            sites = [Site("C", [0, 0, 0]), *(Site("C", vector) for vector in shape)]
            expected = peer.get_order_parameters(sites, 0, indices_neighs=list(range(1, number + 1)))[0]
            assert_allclose(value, expected or 0, atol=1e-10, err_msg=motif.name)
