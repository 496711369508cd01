"""The presets by name: what each is, and what differs from the defaults."""

from __future__ import annotations

from kmatgen.presets.crystals import crystal_diffusion, crystal_vae, crystal_wgan_gp
from kmatgen.presets.crystens import crystens_diffusion, crystens_gan, crystens_wgan_gp
from kmatgen.presets.images import autoencoder, class_gan, fraction_gan, gan, image_diffusion, small_wgan_gp, vae
from kmatgen.presets.settings import FROM_DATA, Config

PRESETS: dict[str, tuple[str, Config]] = {
    "vae": ("convolutional VAE of the microstructure study, 16 latent dimensions", vae()),
    "vae_micrographs": (
        "the same for the fine texture of micrographs: 128 dimensions, and a weak KL weight",
        vae(latent_dim=128, kl_weight=0.5, kl_reduction="per_value"),
    ),
    "autoencoder": ("the same networks without sampling: how well can they reconstruct at all", autoencoder()),
    "dcgan_64": ("DCGAN, the plain convolutional GAN: quick, and quick to collapse", gan("dcgan", "batch")),
    "wgan_gp_64": ("WGAN with gradient penalty: the steady one, 5 critic steps a step", gan("wgan_gp", "layer")),
    "wgan_gp_small": ("the same for a laptop: narrow, one critic step a step, higher rates", small_wgan_gp()),
    "sngan_64": ("hinge loss and spectral normalisation: nearly as steady, much cheaper", gan("sngan", "spectral")),
    "wgan_gp_fraction": (
        "WGAN-GP asked for the fraction of the bright phase, for grey micrographs",
        fraction_gan(periodic=False, channels=1, polycrystal={"colouring": "grey"}),
    ),
    "wgan_gp_phases": (
        "the same on synthetic two-phase fields, periodic",
        fraction_gan(periodic=True, passes=5, source="phases"),
    ),
    "wgan_gp_3d": (
        "the same on synthetic two-phase volumes of 32 x 32 x 32",
        fraction_gan(periodic=True, passes=5, source="phases", size=32, phases={"dimensions": 3}),
    ),
    "crystal_diffusion": (
        "diffusion of crystals, from CIF files or a csv table, for a property or a composition if asked",
        crystal_diffusion(),
    ),
    "diffusion_64": (
        "diffusion with a small U-Net: the best samples, slowly",
        image_diffusion(patch=2),
    ),
    "diffusion_32": ("the same for images of 32 x 32", image_diffusion(patch=1, data={"size": 32})),
    "crystal_wgan_gp": ("WGAN-GP of crystals: quicker, a little worse", crystal_wgan_gp()),
    "crystal_vae": ("VAE of crystals, whose latent points can tell property columns", crystal_vae()),
    "crystens_wgan_gp": (
        "WGAN-GP of crystals as CrysTens, as published: for GPUs; narrower with networks.*.config.width",
        crystens_wgan_gp(),
    ),
    "crystens_gan": ("the published vanilla GAN of CrysTens", crystens_gan()),
    "crystens_diffusion": ("diffusion of CrysTens with a small U-Net", crystens_diffusion()),
    "acgan_32": (
        "digits by class: the discriminator also classifies (ACGAN)",
        # Classes are learnt from real digits alone. Learnt from generated ones, too, as in the paper, both networks
        # may agree on classes of their own: a 3 that looks like a 4.
        class_gan(
            "acgan",
            [{"class_name": "auxiliary_classifier", "config": {"fake": False}}],
            classes=FROM_DATA,
        ),
    ),
    "conditional_gan_32": (
        "digits by class: both networks are given the class",
        class_gan("conditional_gan", condition=FROM_DATA),
    ),
}
