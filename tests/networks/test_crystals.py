import pytest

from kmatgen.errors import InputError
from kmatgen.layers import SiteAttention
from kmatgen.networks import crystal_denoiser


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
