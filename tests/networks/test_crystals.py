import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_array_equal

from kmatgen.errors import InputError
from kmatgen.layers import SiteAttention
from kmatgen.networks import crystal_critic, crystal_denoiser, crystal_generator


def attends(network):
    return any(isinstance(layer, SiteAttention) for layer in network.layers)


def test_roles_and_sets():
    roles = crystal_denoiser({"lattice": (1,), "coords": (5,)}, width=8, blocks=1)
    mask = {"mask": {"size": 4}}
    sites = crystal_denoiser({"lattice": (6,), "coords": (4, 3)}, width=8, blocks=1, condition=mask)
    assert not attends(roles)
    assert attends(sites)
    assert roles.name == sites.name == "denoiser"
    assert roles.get_layer("hidden_0").units == 8


def test_refuses_images():
    with pytest.raises(InputError, match=r"Received: samples of \(64, 64, 1\)"):
        crystal_denoiser((64, 64, 1))


def test_generator_and_critic(rng):
    shapes = {"lattice": (6,), "coords": (4, 3)}
    mask = {"mask": {"size": 4}}
    generator = crystal_generator(shapes, latent_dim=5, width=8, blocks=1, condition=mask)
    critic = crystal_critic(shapes, width=8, blocks=1, condition=mask)
    given = np.array([[1, 1, 0, 0]], np.float32)
    made = generator({"noise": rng.normal(size=(1, 5)).astype("float32"), "condition": {"mask": given}})
    assert {name: tuple(field.shape[1:]) for name, field in made.items()} == shapes
    assert_array_equal(np.abs(made["coords"]).max(axis=2)[0] > 0, [True, True, False, False])
    assert tuple(critic({"sample": made, "condition": {"mask": tf.constant(given)}}).shape) == (1, 1)


def test_without_a_condition(rng):
    shapes = {"coords": (3,)}
    made = crystal_generator(shapes, latent_dim=5, width=8)(rng.normal(size=(2, 5)).astype("float32"))
    assert tuple(crystal_critic(shapes, width=8)(made).shape) == (2, 1)
