"""Configurations of models of crystals."""

from __future__ import annotations

from typing import Any

from kmatgen.presets.settings import FROM_DATA, Config


def crystal_diffusion(**data: Any) -> Config:
    """A diffusion of point clouds, on the schedule that reached the floor of perov_5."""
    return {
        "data": {"source": "prototypes", "crystals": {"representation": {"bits": True}}, **data},
        "model": {
            "class_name": "diffusion",
            "config": {**dict.fromkeys(("decoder", "fields", "prior", "sampler"), FROM_DATA), "steps": 300},
        },
        "networks": {
            "denoiser": {
                "builder": "crystal_denoiser",
                "config": {"width": None, "blocks": 4, "cell": FROM_DATA, "condition": FROM_DATA},
            }
        },
        "compile": {
            "optimizer": _warm_and_cosine(),
            "condition_dropout": 0.0,
            "steps_per_execution": 16,
        },
        "fit": {"epochs": 32, "batch_size": 128, "passes": 40, "ema": 0.999},
    }


def crystal_wgan_gp() -> Config:
    """WGAN-GP of point clouds on residual MLPs."""
    given = {"width": 256, "blocks": 3, "condition": FROM_DATA}
    return {
        "data": {"source": "prototypes", "crystals": {"representation": {"bits": True}}},
        "model": {"class_name": "wgan_gp", "config": {"decoder": FROM_DATA, "prior": FROM_DATA}},
        "networks": {
            "generator": {"builder": "crystal_generator", "config": {"latent_dim": 128, **given}},
            "discriminator": {"builder": "crystal_critic", "config": given},
        },
        "compile": {"terms": None, "d_steps": None, "steps_per_execution": 16},
        "fit": {"epochs": 28, "batch_size": 128, "passes": 40, "ema": 0.999},
    }


def crystal_vae() -> Config:
    """A VAE of point clouds; with `data.crystals.properties` also a property head."""
    latent = {"latent_dim": 24}
    given = {**latent, "width": 256, "blocks": 3, "condition": FROM_DATA}
    facts = {"data_decoder": f"{FROM_DATA}:decoder", **dict.fromkeys(("fields", "prior", "properties"), FROM_DATA)}
    return {
        "data": {"source": "prototypes", "crystals": {"representation": {"bits": True}}},
        "model": {"class_name": "vae", "config": {"output_activation": "linear", **facts}},
        "networks": {
            "encoder": {"builder": "crystal_encoder", "config": given},
            "decoder": {"builder": "crystal_decoder", "config": dict(given)},
            "property_head": {
                "builder": "property_head",
                "config": {**latent, "width": 64, "properties": FROM_DATA},
            },
        },
        "compile": {
            "optimizer": _warm_and_cosine(),
            "reconstruction": "mean_squared_error",
            "kl_weight": 1.0,
            "kl_reduction": "per_value",
            "property_weight": 1.0,
            "steps_per_execution": 16,
        },
        "fit": {"epochs": 28, "batch_size": 128, "passes": 40},
    }


def _warm_and_cosine() -> Config:
    """AdamW whose rate rises for 300 steps and falls to 2 % until the last."""
    rate = {"initial_learning_rate": 0.0, "decay_steps": FROM_DATA, "alpha": 0.02}
    warm_up = {"warmup_target": 1e-3, "warmup_steps": 300}
    schedule = {"module": "keras.optimizers.schedules", "class_name": "CosineDecay", "config": {**rate, **warm_up}}
    return {"class_name": "AdamW", "config": {"learning_rate": schedule, "weight_decay": 1e-4, "clipnorm": 1.0}}
