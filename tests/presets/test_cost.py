import pytest

import kmatgen as kg
from kmatgen.presets import PRESETS
from kmatgen.presets.cost import SECONDS_PER_1000, parameters


def test_parameters_of_the_published_vae():
    assert parameters("vae") == 137_539


def test_parameters_of_a_conditional_gan_by_hand():
    plain, asked = parameters("wgan_gp_64"), parameters("wgan_gp_fraction")
    # For each of the two channels that a grey image lacks: 4 x 4 x 32 weights and a bias at the generator's end, 4 x 4
    # x 32 weights at the critic's beginning.
    images = 2 * (512 + 1 + 512)
    # Scales and offsets of 256 + 128 + 64 + 32 channels have a slope each; the critic's first layer a channel more.
    assert asked - plain == 2 * (256 + 128 + 64 + 32) + 512 - images


def test_crystals_decide():
    assert parameters("crystal_diffusion") is None


def test_only_presets_have_a_cost():
    assert set(SECONDS_PER_1000) <= set(PRESETS)


def test_unknown():
    with pytest.raises(kg.InputError, match="A preset is one of"):
        parameters("vea")
