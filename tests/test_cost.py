import pytest

import kmatgen as kg
from kmatgen.cost import SECONDS_PER_1000, parameters
from kmatgen.presets import PRESETS


def test_parameters_of_the_published_vae():
    assert parameters("vae") == 137_539


def test_parameters_of_a_conditional_gan_by_hand():
    # Dense (100 + 1) x 4 x 4 x 256 without bias, and the scale, offset and two moving statistics of its 256 channels,
    # are part of the generator whose condition is one number.
    plain, asked = parameters("wgan_gp_64"), parameters("wgan_gp_fraction")
    channels = {"plain": 3, "asked": 1}
    # Per colour channel: 4 x 4 x 32 weights and a bias at the generator's end, 4 x 4 x 32 at the critic's beginning.
    images = (channels["plain"] - channels["asked"]) * (512 + 1 + 512)
    # The condition: a row of the generator's first layer, a channel of the critic's first.
    assert asked - plain == 4 * 4 * 256 + 512 - images


def test_only_presets_have_a_cost():
    assert set(SECONDS_PER_1000) <= set(PRESETS)


def test_unknown():
    with pytest.raises(kg.InputError, match="A preset is one of"):
        parameters("vea")
