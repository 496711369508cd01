"""Configurations of models of CrysTens, the tensors of Alverson et al. (Digital Discovery 2024, 3, 62)."""

from __future__ import annotations

from typing import Any

from kmatgen.presets.images import image_diffusion
from kmatgen.presets.paths import merge
from kmatgen.presets.settings import FROM_DATA, Config

# The sites of the paper.
_SITES = 52


def crystens_gan() -> Config:
    """The published vanilla GAN: 10.5 and 21.5 million parameters, binary cross-entropy, Adam 1e-5."""
    adam = {"class_name": "Adam", "config": {"learning_rate": 1e-5}}
    builders = "crystens_gan_generator", "crystens_gan_discriminator"
    return _adversarial("gan", *builders, g_optimizer=adam, d_optimizer=dict(adam))


def crystens_wgan_gp() -> Config:
    """The published WGAN-GP: 1.1 and 0.5 million parameters, Adam 1e-4, 5 critic steps."""
    return _adversarial("wgan_gp", "crystens_generator", "crystens_critic", terms=None, d_steps=None)


def crystens_diffusion() -> Config:
    """A diffusion with a small U-Net of our own; the paper took Imagen's."""
    config = image_diffusion(patch=2, data=_data())
    # From [-1, 1] to crystals at once.
    del config["networks"]["decoder"]
    config["model"]["config"]["decoder"] = f"{FROM_DATA}:centred_decoder"
    return config


def _adversarial(model: str, generator: str, discriminator: str, **compiled: Any) -> Config:
    config: Config = {
        "model": {"class_name": model, "config": {"decoder": FROM_DATA}},
        "networks": {
            # width: factor of the published numbers of filters.
            "generator": {"builder": generator, "config": {"latent_dim": 128, "width": 1.0}},
            "discriminator": {"builder": discriminator, "config": {"width": 1.0}},
        },
        "compile": compiled,
        "fit": {"epochs": 100},
    }
    merge(config, {"data": _data()})
    return config


def _data() -> Config:
    representation = {"class_name": "crystens", "config": {"sites": _SITES, "limits": None}}
    return {"source": "prototypes", "crystals": {"max_sites": _SITES, "representation": representation}}
