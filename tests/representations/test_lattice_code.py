import numpy as np
import pytest
import scipy.linalg
from numpy.testing import assert_allclose

from kmatgen.representations import CrystalTable
from kmatgen.representations.crystal_table import lattice_volume
from kmatgen.representations.lattice_code import decode_lattice, encode_lattice, metric_tensor
from tests.representations.crystals import triclinic


def sites_of(table):
    return table.n_sites[:, None].astype(np.float32)


@pytest.mark.parametrize("code", ["metric", "lengths"])
def test_there_and_back(code):
    table = triclinic(40)
    numbers = encode_lattice(table, code).astype(np.float32)
    decoded = decode_lattice(numbers, sites_of(table), code).numpy()
    assert decoded.dtype == np.float32
    assert_allclose(decoded, table.lattice, rtol=2e-6)


@pytest.mark.parametrize("code", ["metric", "lengths"])
def test_metric_tensor(code):
    table = triclinic(40)
    found = metric_tensor(encode_lattice(table, code).astype(np.float32), sites_of(table), code)
    assert_allclose(found, table.matrix @ table.matrix.swapaxes(1, 2), rtol=1e-5, atol=1e-4)


def test_metric_of_cells_known():
    lattice = [[2, 3, 4, 90, 90, 90], [2, 2, 4, 90, 90, 120]]
    table = CrystalTable(lattice, [[6], [6]], np.zeros((2, 1, 3)), [0, 0])
    numbers = encode_lattice(table, "metric")
    assert_allclose(numbers[0], [np.log(2), np.log(3), np.log(4), 0, 0, 0], atol=1e-14)
    metric = np.array([[4, -2, 0], [-2, 4, 0], [0, 0, 16]])
    logarithm = scipy.linalg.logm(metric) / 2
    assert_allclose(numbers[1, :3], np.diag(logarithm), atol=1e-12)
    assert_allclose(numbers[1, 3:], np.array([logarithm[1, 2], logarithm[0, 2], logarithm[0, 1]]) * 2**0.5, atol=1e-12)


def test_volume_a_site_is_one_number():
    table = triclinic(40)
    volume = np.exp(encode_lattice(table, "metric")[:, :3].sum(axis=1))
    assert_allclose(volume, table.volume / table.n_sites, rtol=1e-10)


def test_every_metric_is_a_cell(rng):
    numbers = rng.normal(0, 1.5, (500, 6)).astype(np.float32)
    lattice = decode_lattice(numbers, np.ones((500, 1), np.float32), "metric").numpy()
    # Cells flatter than float32 tells are not counted.
    assert (lattice_volume(lattice) > 0).mean() > 0.9
    gentle = decode_lattice(numbers / 3, np.ones((500, 1), np.float32), "metric").numpy()
    assert_allclose(np.log(lattice_volume(gentle)), numbers[:, :3].sum(axis=1) / 3, atol=1e-3)
