"""Published GANs: each is `GAN` with other defaults of `compile`, and nothing else."""

from __future__ import annotations

from typing import Any

from kmatgen.adversarial.auxiliary import AuxiliaryClassifier, MutualInformation
from kmatgen.adversarial.penalties import GradientPenalty, WeightClipping
from kmatgen.models.gan import GAN
from kmatgen.registry import register


def _optimizer(class_name: str, learning_rate: float, **config: float) -> dict[str, Any]:
    """An optimiser's configuration: the object, with its variables, is made anew by every `compile`."""
    return {"class_name": class_name, "config": {"learning_rate": learning_rate, **config}}


def _both(optimizer: dict[str, Any]) -> dict[str, Any]:
    return {"g_optimizer": optimizer, "d_optimizer": optimizer}


@register("model", "dcgan")
class DCGAN(GAN):
    """Radford et al. 2016: non-saturating loss, Adam 2e-4 with beta_1 of 0.5, for `dcgan_*` networks."""

    DEFAULTS = {**_both(_optimizer("Adam", 2e-4, beta_1=0.5)), "loss": "non_saturating"}


@register("model", "lsgan")
class LSGAN(GAN):
    """Mao et al. 2017: least squares."""

    DEFAULTS = {**DCGAN.DEFAULTS, "loss": "least_squares"}


@register("model", "wgan")
class WGAN(GAN):
    """Arjovsky et al. 2017: Wasserstein loss, weights clipped to 0.01, 5 critic steps, RMSprop 5e-5."""

    DEFAULTS = {
        **_both(_optimizer("RMSprop", 5e-5)),
        "loss": "wasserstein",
        "terms": (WeightClipping(0.01),),
        "d_steps": 5,
    }


@register("model", "wgan_gp")
class WGANGP(GAN):
    """Gulrajani et al. 2017: Wasserstein loss with gradient penalty, 5 critic steps, Adam 1e-4 (0, 0.9)."""

    DEFAULTS = {
        **_both(_optimizer("Adam", 1e-4, beta_1=0.0, beta_2=0.9)),
        "loss": "wasserstein",
        "terms": (GradientPenalty(10.0),),
        "d_steps": 5,
    }


@register("model", "sngan")
class SNGAN(GAN):
    """Miyato et al. 2018: hinge loss, for discriminators with `normalization="spectral"`."""

    DEFAULTS = {**_both(_optimizer("Adam", 2e-4, beta_1=0.0, beta_2=0.9)), "loss": "hinge"}


@register("model", "conditional_gan")
class ConditionalGAN(GAN):
    """Mirza and Osindero 2014: networks that both take the condition."""

    DEFAULTS = DCGAN.DEFAULTS


@register("model", "acgan")
class ACGAN(GAN):
    """Odena et al. 2017: the discriminator also classifies, output `class_logits`."""

    DEFAULTS = {**DCGAN.DEFAULTS, "terms": (AuxiliaryClassifier(),)}


@register("model", "infogan")
class InfoGAN(GAN):
    """Chen et al. 2016: codes that can be read off a sample, outputs `code_logits` and `code_mean`."""

    DEFAULTS = {**DCGAN.DEFAULTS, "terms": (MutualInformation(),)}


@register("model", "ebgan")
class EBGAN(GAN):
    """Zhao et al. 2017: the discriminator is an autoencoder, its score an energy (`energy_discriminator`)."""

    DEFAULTS = {**DCGAN.DEFAULTS, "loss": "energy"}
