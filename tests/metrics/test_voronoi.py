import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen.metrics.voronoi import voronoi_faces


def cell(edge, species, coords):
    return edge * np.eye(3), np.array(species), np.array(coords, float)


def test_a_simple_cubic_cell_is_a_cube():
    faces, closed = voronoi_faces([cell(3.0, [84], [[0, 0, 0]])])
    real = faces.area > 1e-9
    assert closed.all()
    assert real.sum() == 6
    assert_allclose(faces.area[real], 9)
    assert_allclose(faces.solid_angle[real], 4 * np.pi / 6)
    assert_allclose(np.linalg.norm(faces.vector[real], axis=1), 3)


def test_a_body_centred_cell_is_a_truncated_octahedron():
    faces, _ = voronoi_faces([cell(2.0, [26, 26], [[0, 0, 0], [0.5, 0.5, 0.5]])])
    for atom in (0, 1):
        areas = np.sort(faces.area[(faces.atom == atom) & (faces.area > 1e-9)])
        edge = 2**-0.5  # of the truncated octahedron in a cube of edge 2: a / (2 sqrt 2)
        assert_allclose(areas, [edge**2] * 6 + [1.5 * 3**0.5 * edge**2] * 8)


def test_volumes_and_angles_add_up(rng):
    coords = rng.random((6, 3))
    crystal = (np.array([[4.0, 0, 0], [1, 5, 0], [-1, 2, 6]]), np.full(6, 6), coords)
    faces, _ = voronoi_faces([crystal])
    heights = np.linalg.norm(faces.vector, axis=1) / 2
    assert_allclose((faces.area * heights).sum() / 3, 120)
    assert_allclose(np.bincount(faces.atom, faces.solid_angle), 4 * np.pi)


def test_wide_cells_reach_for_farther_neighbours():
    faces, closed = voronoi_faces([cell(12.0, [84], [[0, 0, 0]])])
    assert closed.all()
    assert_allclose(faces.area[faces.area > 1e-9], [144] * 6)


def test_cells_too_thin_to_hold_all_images_stay_open():
    _, closed = voronoi_faces([(np.diag([0.01, 0.02, 1e4]), np.array([6]), np.zeros((1, 3)))])
    assert not closed.any()


def test_atoms_on_top_of_each_other_have_no_cell():
    good, twice = cell(3.0, [84], [[0, 0, 0]]), cell(3.0, [6, 6], [[0, 0, 0], [0, 0, 0]])
    faces, closed = voronoi_faces([twice, good])
    assert_array_equal(closed, [False, True])
    assert set(faces.atom) == {2}
