"""Configurations of models of images and volumes."""

from __future__ import annotations

from typing import Any

from kmatgen.presets.paths import merge
from kmatgen.presets.settings import FROM_DATA, Config


def autoencoder(latent_dim: int = 16, **encoder: Any) -> Config:
    """The networks of the microstructure study, trained to reconstruct."""
    encoder = {"latent_dim": latent_dim, "filters": [16, 32, 64, 128], "variational": False, **encoder}
    return {
        "model": {"class_name": "autoencoder", "config": {}},
        "networks": {
            "encoder": {"builder": "conv_encoder", "config": encoder},
            "decoder": {"builder": "conv_decoder", "config": {"latent_dim": latent_dim, "filters": [128, 64, 32, 16]}},
        },
        "compile": {
            "optimizer": {"class_name": "Adam", "config": {"learning_rate": 1e-3}},
            "reconstruction": "binary_crossentropy",
        },
    }


def vae(latent_dim: int = 16, kl_weight: float = 0.012, kl_reduction: str = "mean") -> Config:
    """The same as a VAE, with the weight of the study.

    That is some nine times the weight of the evidence lower bound, which is 1 with `per_value`. On polycrystals it
    reconstructs held-out images better and samples better; faint textures of micrographs it leaves grey: nothing in
    them is worth its divergence.
    """
    config = autoencoder(latent_dim, variational=True)
    config["model"]["class_name"] = "vae"
    config["compile"] |= {"kl_weight": kl_weight, "kl_reduction": kl_reduction}
    return config


def gan(model: str, normalization: str | None, filters: int = 32, epochs: int = 100, **more: Config) -> Config:
    """A GAN of 64 x 64 images on DCGAN networks; the optimisers are the published ones, from the class."""
    config: Config = {
        "model": {"class_name": model, "config": {}},
        "networks": {
            "generator": {"builder": "dcgan_generator", "config": {"latent_dim": 100, "filters": filters}},
            "discriminator": {
                "builder": "dcgan_discriminator",
                "config": {"filters": filters, "normalization": normalization},
            },
        },
        "compile": {"g_optimizer": None, "d_optimizer": None, "loss": None, "terms": None, "d_steps": None},
        "fit": {"epochs": epochs},
    }
    merge(config, more)
    return config


def small_wgan_gp() -> Config:
    """A WGAN-GP that learns in minutes without a GPU: narrow networks, one critic step, higher rates (Heusel 2017)."""
    adam = {"beta_1": 0.0, "beta_2": 0.9}
    rates = {"g_optimizer": 2e-4, "d_optimizer": 4e-4}
    compiled = {name: {"class_name": "Adam", "config": {"learning_rate": rate, **adam}} for name, rate in rates.items()}
    return gan(
        "wgan_gp",
        "layer",
        filters=16,
        compile={**compiled, "d_steps": 1},
        fit={"batch_size": 16, "ema": 0.999, "passes": 10},
    )


def fraction_gan(periodic: bool, passes: int = 1, **data: Any) -> Config:
    """A WGAN-GP asked for a phase fraction; it also minimises the squared error of the fraction that it made."""
    networks = {"condition": FROM_DATA, "periodic": periodic}
    return gan(
        "wgan_gp",
        "layer",
        data={"condition": "phase_fraction", **data},
        networks={
            # One number among a hundred of noise is heard less than one that scales and shifts all maps.
            "generator": {"config": {**networks, "conditioning": "conditional_normalization"}},
            "discriminator": {"config": dict(networks)},
        },
        compile={
            "terms": [
                {"class_name": "gradient_penalty", "config": {"weight": 10.0}},
                {"class_name": "volume_fraction", "config": {"weight": 100.0, "column": 0, "threshold": FROM_DATA}},
            ],
        },
        fit={"ema": 0.999, "passes": passes},
    )


def class_gan(model: str, terms: list[Config] | None = None, **discriminator: Any) -> Config:
    """A GAN of 32 x 32 digits that is asked for a class."""
    # A class that scales and shifts all maps leaves the noise its say; beside the noise it can drown it: of ACGAN, all
    # samples of a class then look alike.
    generator = {"condition": FROM_DATA, "conditioning": "conditional_normalization"}
    return gan(
        model,
        "batch",
        epochs=25,
        data={"source": "digits", "size": 32, "condition": "class"},
        compile={"terms": terms},
        networks={"generator": {"config": generator}, "discriminator": {"config": discriminator}},
    )


def image_diffusion(patch: int, **more: Config) -> Config:
    """Diffusion of images with a small U-Net."""
    config: Config = {
        "model": {
            "class_name": "diffusion",
            "config": {"schedule": "cosine", "target": "velocity", "steps": 50, "sampler": "ddim", "guidance": 1.0},
        },
        "networks": {
            "denoiser": {
                "builder": "unet",
                "config": {"filters": [32, 64, 128], "patch": patch, "periodic": False, "condition": None},
            },
            "encoder": {"builder": "image_encoder", "config": {}},
            "decoder": {"builder": "image_decoder", "config": {}},
        },
        "compile": {
            "optimizer": {
                "class_name": "AdamW",
                "config": {"learning_rate": 1e-3, "weight_decay": 1e-4, "clipnorm": 1.0},
            },
            "weighting": "uniform",
            "time_sampling": "stratified",
            "condition_dropout": 0.0,
        },
        # Sampling takes long: 64 samples in 50 steps as long as some 30 training steps.
        "fit": {"epochs": 100, "ema": 0.999, "evaluate_every": 25, "evaluate_n": 64},
    }
    merge(config, more)
    return config
