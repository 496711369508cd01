import warnings

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from pymatgen.analysis.local_env import CrystalNN

from kmatgen.metrics.coordination import covalent_radii, neighbour_shells

from .crystals import perovskites


def crystals(table):
    return list(zip(table.matrix, table.species, table.coords, strict=True))


def test_strontium_titanate():
    shells, closed = neighbour_shells(crystals(perovskites(3.9, [38, 22, 8, 8, 8])))
    assert closed.all()
    titanium = shells.atom == 1
    assert_allclose(shells.weight[titanium], 1)
    assert_allclose(np.sort(np.abs(shells.direction[titanium]).max(axis=1)), [1] * 6)  # an octahedron along the axes
    assert (shells.atom == 0).sum() == 12


def test_the_same_as_pymatgen_on_distorted_crystals(rng):
    species = [[38, 22, 8, 8, 7], [56, 72, 16, 8, 8], [3, 41, 9, 9, 8]]
    table = perovskites([3.9, 4.6, 4.0], species)
    table.coords[:] += rng.normal(0, 0.03, table.coords.shape)
    shells, _ = neighbour_shells(crystals(table))
    atom = 0
    for structure in table.structures():
        for site in range(5):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                peers = CrystalNN().get_nn_data(structure, site).all_nninfo
            assert_allclose(shells.weight[shells.atom == atom], [peer["weight"] for peer in peers], atol=1e-12)
            vectors = np.array([peer["site"].coords for peer in peers]) - structure[site].coords
            own = shells.direction[shells.atom == atom]
            assert_allclose(
                own.sum(axis=0), (vectors / np.linalg.norm(vectors, axis=1)[:, None]).sum(axis=0), atol=1e-9
            )
            atom += 1


def test_radii():
    assert_array_equal(np.flatnonzero(np.isnan(covalent_radii())), [0, *range(97, 119)])
    assert_allclose(covalent_radii()[[6, 8]], [0.73, 0.66])
