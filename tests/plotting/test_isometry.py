import numpy as np
from numpy.testing import assert_allclose

from kmatgen.plotting.isometry import isometric_view


def test_faces_of_a_box_by_hand():
    view = isometric_view(np.ones((4, 6, 8, 1), np.float32), background=0.0)
    assert view.shape == (6 + (4 + 8) // 2, 4 + 8, 1)
    values, counts = np.unique(view, return_counts=True)
    # Upper, left and right face; a parallelogram has the area of its edge times its height.
    assert_allclose(values, [0.0, 0.45, 0.65, 0.85], rtol=1e-6)
    assert_allclose(counts[1:], [4 * 6, 8 * 6, 4 * 8], atol=2)
    # The corners beside the box.
    assert_allclose(view[[0, 0, -1, -1], [0, -1, 0, -1], 0], 0.0)


def test_a_voxel_is_where_it_belongs():
    volume = np.zeros((8, 8, 8, 1), np.float32)
    volume[-1, 5, 2] = 1.0
    row, column = np.argwhere(isometric_view(volume, background=0.0)[..., 0] > 0).mean(0)
    # On the left face: x = 2.5, z = 8, y = 5.5.
    assert_allclose([row, column], [(2.5 + 8) / 2 + 5.5 - 0.5, 2.5 - 0.5], atol=0.6)
