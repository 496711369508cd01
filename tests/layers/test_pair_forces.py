import numpy as np
import pytest
from numpy.testing import assert_allclose

from kmatgen.layers import PairForces


@pytest.fixture
def inputs(rng):
    shapes = ((1, 3, 4), (1, 3, 3, 5), (1, 3, 3, 2, 3))
    return [rng.normal(size=shape).astype("float32") for shape in shapes]


def forces(layer, x, pairs, directions, present=(1, 1, 1)):
    return np.asarray(layer(x, pairs, directions, np.array([present], np.float32)))


def test_nothing_before_training(inputs):
    assert_allclose(forces(PairForces(8), *inputs), np.zeros((1, 3, 3)))


def test_by_hand(inputs):
    """With weights that are the same for all pairs, the plain sum of directions to the sites that are there."""
    layer = PairForces(8)
    forces(layer, *inputs)
    layer.weights_of.set_weights([np.zeros((8, 2), np.float32), np.array([2.0, -1.0], np.float32)])
    directions = inputs[2][:, :, :2]
    assert_allclose(
        forces(layer, *inputs, present=(1, 1, 0)),
        (2 * directions[..., 0, :] - directions[..., 1, :]).sum(axis=2),
        rtol=1e-5,
    )


def test_turns_with_the_axes(inputs, rng):
    layer, turn = PairForces(8), rng.normal(size=(3, 3)).astype("float32")
    forces(layer, *inputs)
    layer.weights_of.set_weights([rng.normal(size=(8, 2)), np.zeros(2)])
    x, pairs, directions = inputs
    found = forces(layer, x, pairs, directions @ turn)
    assert np.abs(found).max() > 0.1
    assert_allclose(found, forces(layer, x, pairs, directions) @ turn, atol=1e-5)
