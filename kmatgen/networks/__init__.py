"""Builders of functional `keras.Model`s: networks know no training."""

from kmatgen.networks.conv import conv_decoder, conv_encoder
from kmatgen.networks.crystal_autoencoder import crystal_decoder, crystal_encoder, property_head
from kmatgen.networks.crystals import crystal_critic, crystal_denoiser, crystal_generator
from kmatgen.networks.crystens import (
    crystens_critic,
    crystens_gan_discriminator,
    crystens_gan_generator,
    crystens_generator,
)
from kmatgen.networks.dcgan import dcgan_discriminator, dcgan_generator
from kmatgen.networks.energy import energy_discriminator
from kmatgen.networks.film import film_mlp
from kmatgen.networks.mlp import mlp_discriminator, mlp_generator
from kmatgen.networks.resnet import resnet_discriminator, resnet_generator
from kmatgen.networks.scaling import image_decoder, image_encoder
from kmatgen.networks.sets import site_transformer
from kmatgen.networks.unet import unet

# Builders for samples that are fields by name, as crystals are; all others are for images.
OF_FIELDS = (
    "crystal_critic",
    "crystal_decoder",
    "crystal_denoiser",
    "crystal_encoder",
    "crystal_generator",
    "film_mlp",
    "property_head",
    "site_transformer",
)

__all__ = [
    "OF_FIELDS",
    "conv_decoder",
    "conv_encoder",
    "crystal_critic",
    "crystal_decoder",
    "crystal_denoiser",
    "crystal_encoder",
    "crystal_generator",
    "crystens_critic",
    "crystens_gan_discriminator",
    "crystens_gan_generator",
    "crystens_generator",
    "dcgan_discriminator",
    "dcgan_generator",
    "energy_discriminator",
    "film_mlp",
    "image_decoder",
    "image_encoder",
    "mlp_discriminator",
    "mlp_generator",
    "property_head",
    "resnet_discriminator",
    "resnet_generator",
    "site_transformer",
    "unet",
]
