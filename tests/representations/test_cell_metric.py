import numpy as np
from numpy.testing import assert_allclose

from kmatgen.representations import PointCloud
from kmatgen.representations.cell_metric import CellMetric
from tests.representations.crystals import perovskites, triclinic


def metric_of(table):
    return table.matrix @ table.matrix.swapaxes(1, 2)


def test_products_of_the_axes():
    table = triclinic(12)
    cloud = PointCloud().fit(table)
    arrays = cloud.encode(table)
    found = CellMetric(cloud)({"lattice": arrays["lattice"], "mask": arrays["mask"]})
    assert_allclose(found, metric_of(table), rtol=1e-5, atol=1e-4)


def test_a_lattice_in_which_nothing_varies_may_be_left_out():
    table = perovskites(4)
    table.lattice[:, :3] = 4.0
    cloud = PointCloud().fit(table)
    found = CellMetric(cloud)({"mask": np.ones((2, 5), np.float32)})
    assert_allclose(found, np.tile(16 * np.eye(3), (2, 1, 1)), atol=1e-4)
