import numpy as np
import pytest
from numpy.testing import assert_allclose

from kmatgen import InputError
from kmatgen.metrics import phase_fractions, specific_surface, triple_phase_boundary
from tests.metrics.fields import checkerboard, overlapping_discs


def ball(side, radius):
    return (sum((np.indices((side,) * 3) + 0.5 - side / 2) ** 2) < radius**2).astype(int)


def test_fractions():
    phases = np.array([[[0, 1, 1, 2]] * 4, [[1, 1, 1, 1]] * 4])
    assert_allclose(phase_fractions(phases), [[0.25, 0.5, 0.25], [0, 1, 0]])
    assert_allclose(phase_fractions(phases, count=4)[:, 3], 0)
    assert_allclose(phase_fractions(checkerboard(axes=3)[None] > 0), [[0.5, 0.5]])
    with pytest.raises(InputError, match="count must be at least the number of phases, 3. Received: 2"):
        phase_fractions(phases, count=2)


@pytest.mark.parametrize(("axes", "sides"), [(2, 2), (3, 3)])
def test_faces_of_a_checkerboard(axes, sides):
    """A cell of 4 pixels has 2 (3-D: 3) sides of its own, each 1 / 4 of its size."""
    board = checkerboard(axes=axes)[None]
    assert_allclose(specific_surface(board, method="faces"), sides / 4)
    assert_allclose(specific_surface(board, method="faces", pixel_size=0.5), sides / 2)
    # Without the sides of the sample: 3 boundaries in 15 steps.
    assert_allclose(specific_surface(board, method="faces", periodic=False), sides / 5)


def test_surface_of_discs(rng):
    """Boolean model: density x circumference x share of it that no other disc covers."""
    radius, density = 8.0, 0.003
    images = overlapping_discs(rng, 12, 128, radius, density)
    expected = density * 2 * np.pi * radius * np.exp(-density * np.pi * radius**2)
    assert_allclose(specific_surface(images).mean(), expected, rtol=0.05)
    assert_allclose(specific_surface(images, periodic=False).mean(), expected, rtol=0.05)
    assert_allclose(specific_surface(images, method="faces"), specific_surface(images) * 4 / np.pi)
    assert_allclose(specific_surface(images, phase=0), specific_surface(images, phase=1))


def test_surface_of_a_ball():
    expected = 4 * np.pi * 14**2 / 40**3
    assert_allclose(specific_surface(ball(40, 14)[None]), expected, rtol=0.02)


def test_agrees_with_marching_cubes_of_porespy():
    metrics = pytest.importorskip("porespy.metrics")
    tools = pytest.importorskip("porespy.tools")
    volume = ball(40, 14)
    area = metrics.mesh_surface_area(tools.mesh_region(volume.astype(bool)))
    assert_allclose(specific_surface(volume[None])[0] * 40**3, area, rtol=0.05)


def test_triple_line():
    """Three sectors that meet in lines along one axis: at (8, 8), and (0, 0) and (0, 8) across the sides."""
    phases = np.zeros((1, 16, 16, 16), int)
    phases[:, :, 8:, :8] = 1
    phases[:, :, 8:, 8:] = 2
    for turned in (phases, phases.transpose(0, 2, 3, 1), phases.transpose(0, 3, 1, 2)):
        assert_allclose(triple_phase_boundary(turned, periodic=False), 16 / (16 * 15**2))
        assert_allclose(triple_phase_boundary(turned), 4 * 16 / 16**3)
        assert_allclose(triple_phase_boundary(turned, pixel_size=0.1), 100 * 4 * 16 / 16**3)
    with pytest.raises(InputError, match="at least three phases. Received: .* 2 phases"):
        triple_phase_boundary(phases.clip(0, 1))


def test_four_phases_count_once(rng):
    phases = rng.integers(0, 4, size=(1, 12, 12, 12))
    # Of four voxels of 4 phases alike: 4^4 ways, 4 with one phase, 84 with two.
    assert_allclose(triple_phase_boundary(phases), 3 * (256 - 4 - 84) / 256, rtol=0.05)


@pytest.mark.parametrize(
    ("phases", "words"),
    [
        (np.zeros((2, 8, 8)), "whole numbers from 0.*segment.*Received: dtype float64"),
        (np.zeros((2, 8, 8), int), "Phase 1 must be in at least one of phases. Received: phases 0"),
        (np.zeros((0, 8, 8), int), "at least 1 sample. Received: 0"),
        (np.zeros((8, 8), int), r"Received: shape \(8, 8\)"),
    ],
)
def test_refuses(phases, words):
    with pytest.raises(InputError, match=words):
        specific_surface(phases)
    with pytest.raises(InputError, match="method must be 'correlation' or 'faces'"):
        specific_surface(phases, method="other")
