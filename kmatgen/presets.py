"""Presets: named, complete configurations of a training run, as Python data.

A preset holds only what differs from `DEFAULTS`. `resolve` gives the whole configuration, which is what
a run writes to `config.json` and can be repeated from.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from kmatgen.errors import InputError

Config = dict[str, Any]

# Stands in `networks`, `model` and `compile` for what only the data know: the `condition` that they bring, its number
# of `classes`, the `threshold` by which their phase fraction is measured, the `decoder` back to crystals.
FROM_DATA = "data"

DEFAULTS: Config = {
    "preset": "",
    "seed": 0,
    "precision": "float32",
    # One of kmatgen.distribute.STRATEGIES
    "strategy": "auto",
    "data": {
        # "polycrystal", "phases", "digits", "digits:FOLDER", "tfds:NAME", "prototypes", a folder of micrographs, a
        # folder of crystals or a csv table of them
        "source": "polycrystal",
        "size": 64,
        "channels": None,
        "test_fraction": 0.1,
        # What samples are generated for: null, "class", or "phase_fraction", the fraction of pixels above a threshold.
        "condition": None,
        # None: Otsu's for all training samples together.
        "phase_threshold": None,
        "polycrystal": {
            "n": 1000,
            # None: from 3/8 to 5/8 of the size.
            "grain_size": None,
            "spread": 0.3,
            "elongation": [1.0, 1.5],
            "colouring": "ipf",
        },
        "phases": {
            "n": 2000,
            "dimensions": 2,
            # Range of the second phase's fraction; for three phases a list of two ranges.
            "fractions": [0.2, 0.6],
            # None: a twelfth of the size.
            "correlation_length": None,
        },
        # Images are cut into tiles, or where these are more than most_patches, into about so many crops an epoch, at
        # other places each time. stride (pixels from tile to tile) or per_image (crops of an image) choose one of them.
        "micrographs": {
            "most_patches": 2048,
            "stride": None,
            "per_image": None,
            "scale": "auto",
            "augment": [],
            "crop_data_bar": True,
            "metadata": None,
            "strict": False,
        },
        "crystals": {
            "column": None,
            # None: as given where all have the same number of sites, else "niggli".
            "cell": None,
            # Larger cells are refused; the cost of a step grows with the square of the largest in a batch.
            "max_sites": 24,
            # What crystals are generated for: "space_group", "composition", "chemical_system", property columns.
            "conditions": [],
            # Arguments of kmatgen.representations.PointCloud.
            "representation": {},
        },
    },
    "model": {"class_name": "vae", "config": {}},
    "networks": {},
    "compile": {},
    # passes: over the data in one epoch; more for small data, since each epoch ends with a checkpoint.
    # ema: decay of the averaged weights that a model is sampled and exported with, such as 0.999. None: raw weights.
    # minutes: training ends after the epoch in which so many are over. None: after `epochs`.
    # evaluate_every, evaluate_n, evaluate: samples are judged every so many epochs, so many of them, by these metrics
    # (0: never); the model with the least `monitor` is kept as the best.
    "fit": {
        "epochs": 30,
        "batch_size": 32,
        "minutes": None,
        "passes": 1,
        "sample_every": 10,
        "ema": None,
        "evaluate_every": 5,
        "evaluate_n": 256,
        "evaluate": ["mmd", "kid", "two_point"],
        "monitor": "val_mmd",
    },
}


def _autoencoder(latent_dim: int = 16, **encoder: Any) -> Config:
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


def _vae(latent_dim: int = 16, kl_weight: float = 1.0, kl_reduction: str = "per_value") -> Config:
    """The same as a VAE. Its loss is the evidence lower bound, which asks little of a latent dimension that is used.

    A weight much above it, such as the study's, leaves faint textures grey: nothing in them is worth its divergence.
    """
    config = _autoencoder(latent_dim, variational=True)
    config["model"]["class_name"] = "vae"
    config["compile"] |= {"kl_weight": kl_weight, "kl_reduction": kl_reduction}
    return config


def _merge(config: Config, changes: Config) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(config.get(key), dict):
            _merge(config[key], value)
        else:
            config[key] = value


def _gan(model: str, normalization: str | None, filters: int = 32, epochs: int = 100, **more: Config) -> Config:
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
    _merge(config, more)
    return config


def _fraction_gan(periodic: bool, passes: int = 1, **data: Any) -> Config:
    """A WGAN-GP asked for a phase fraction; it also minimises the squared error of the fraction that it made."""
    networks = {"condition": FROM_DATA, "periodic": periodic}
    return _gan(
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


def _class_gan(model: str, terms: list[Config] | None = None, **discriminator: Any) -> Config:
    """A GAN of 32 x 32 digits that is asked for a class."""
    return _gan(
        model,
        "batch",
        epochs=20,
        data={"source": "digits", "size": 32, "condition": "class"},
        compile={"terms": terms},
        networks={"generator": {"config": {"condition": FROM_DATA}}, "discriminator": {"config": discriminator}},
    )


def _crystal_diffusion(**data: Any) -> Config:
    """A diffusion of point clouds, on the schedule that reached the floor of perov_5."""
    rate = {"initial_learning_rate": 0.0, "decay_steps": FROM_DATA, "alpha": 0.02}
    warm_up = {"warmup_target": 1e-3, "warmup_steps": 300}
    schedule = {"module": "keras.optimizers.schedules", "class_name": "CosineDecay", "config": {**rate, **warm_up}}
    adam = {"learning_rate": schedule, "weight_decay": 1e-4, "clipnorm": 1.0}
    return {
        "data": {"source": "prototypes", "crystals": {"representation": {"bits": True}}, **data},
        "model": {
            "class_name": "diffusion",
            "config": {"decoder": FROM_DATA, "fields": FROM_DATA, "prior": FROM_DATA, "steps": 100},
        },
        "networks": {
            "denoiser": {
                "builder": "crystal_denoiser",
                "config": {"width": None, "blocks": 4, "condition": FROM_DATA},
            }
        },
        "compile": {
            "optimizer": {"class_name": "AdamW", "config": adam},
            "condition_dropout": 0.0,
            "steps_per_execution": 16,
        },
        "fit": {"epochs": 28, "batch_size": 128, "passes": 40, "ema": 0.999},
    }


def _diffusion(patch: int, **more: Config) -> Config:
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
    _merge(config, more)
    return config


def _crystal_wgan_gp() -> Config:
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


PRESETS: dict[str, tuple[str, Config]] = {
    "vae": ("convolutional VAE, 16 latent dimensions", _vae()),
    "vae_micrographs": (
        "the same for the fine texture of micrographs: 128 dimensions, and half their weight",
        _vae(latent_dim=128, kl_weight=0.5),
    ),
    "vae_study": (
        "the VAE of the published microstructure study: the same networks, a strong KL weight",
        _vae(kl_weight=0.012, kl_reduction="mean"),
    ),
    "autoencoder": ("the same networks without sampling: how well can they reconstruct at all", _autoencoder()),
    "dcgan_64": ("DCGAN, the plain convolutional GAN: quick, and quick to collapse", _gan("dcgan", "batch")),
    "wgan_gp_64": ("WGAN with gradient penalty: the steady one, 5 critic steps a step", _gan("wgan_gp", "layer")),
    "sngan_64": ("hinge loss and spectral normalisation: nearly as steady, much cheaper", _gan("sngan", "spectral")),
    "wgan_gp_fraction": (
        "WGAN-GP asked for the fraction of the bright phase, for grey micrographs",
        _fraction_gan(periodic=False, channels=1, polycrystal={"colouring": "grey"}),
    ),
    "wgan_gp_phases": (
        "the same on synthetic two-phase fields, periodic",
        _fraction_gan(periodic=True, passes=5, source="phases"),
    ),
    "wgan_gp_3d": (
        "the same on synthetic two-phase volumes of 32 x 32 x 32",
        _fraction_gan(periodic=True, passes=5, source="phases", size=32, phases={"dimensions": 3}),
    ),
    "crystal_diffusion": (
        "diffusion of crystals, from CIF files or a csv table, for a property or a composition if asked",
        _crystal_diffusion(),
    ),
    "diffusion_64": ("diffusion with a small U-Net: the best samples, slowly; 50 steps of DDIM", _diffusion(patch=2)),
    "diffusion_32": ("the same for images of 32 x 32", _diffusion(patch=1, data={"size": 32})),
    "crystal_wgan_gp": ("WGAN-GP of crystals: quicker, a little worse", _crystal_wgan_gp()),
    "acgan_32": (
        "digits by class: the discriminator also classifies (ACGAN)",
        # Classes are learnt from real digits alone. Learnt from generated ones, too, as in the paper, both networks
        # may agree on classes of their own: a 3 that looks like a 4.
        _class_gan(
            "acgan",
            [{"class_name": "auxiliary_classifier", "config": {"fake": False}}],
            classes=FROM_DATA,
        ),
    ),
    "conditional_gan_32": (
        "digits by class: both networks are given the class",
        _class_gan("conditional_gan", condition=FROM_DATA),
    ),
}


def resolve(preset: str, overrides: dict[str, Any] | None = None) -> Config:
    """The whole configuration of a preset.

    Args:
        preset: Name of the preset.
        overrides: Values by dotted path, such as `{"fit.epochs": 50}`.

    Raises:
        InputError: There is no such preset or path, or a value has the wrong type.
    """
    if preset not in PRESETS:
        raise InputError(f"A preset is one of {', '.join(sorted(PRESETS))}. Received: {preset!r}.")
    config = copy.deepcopy(DEFAULTS)
    _merge(config, copy.deepcopy(PRESETS[preset][1]))
    config["preset"] = preset
    for path, value in (overrides or {}).items():
        set_path(config, path, value)
    return config


def set_path(config: Config, path: str, value: Any) -> None:
    """Change one value of a configuration in place, by its dotted path; the path must exist.

    A whole number is taken where a fraction is expected; otherwise the type stays what it was, except that
    `None` may become anything.
    """
    *parents, last = path.split(".")
    node: Any = config
    for part in parents:
        node = node.get(part) if isinstance(node, dict) else None
    if not isinstance(node, dict) or last not in node:
        known = ", ".join(leaf for leaf, _ in leaves(config))
        raise InputError(f"A setting is one of {known}. Received: {path!r}.")
    old = node[last]
    if isinstance(old, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if old not in (None, FROM_DATA) and value is not None and type(value) is not type(old):
        raise InputError(f"{path} takes a value like {json.dumps(old)}. Received: {json.dumps(value)}.")
    node[last] = value


def filled_in(config: Any, facts: Mapping[str, Any]) -> Any:
    """A part of a configuration with what it leaves to the data (`FROM_DATA`) filled in.

    Args:
        config: Any part: a dict, a list, a value.
        facts: What the data know, by the name of the argument.

    Raises:
        InputError: The data do not know it.
    """
    if isinstance(config, list):
        return [filled_in(value, facts) for value in config]
    if not isinstance(config, dict):
        return copy.deepcopy(config)
    unknown = [key for key, value in config.items() if value == FROM_DATA and key not in facts]
    if unknown:
        raise InputError(
            f"{unknown[0]} is taken from the data; choose data that have one with data.condition=class or "
            f"data.condition=phase_fraction, or set it. Received: data without a {unknown[0]}."
        )
    return {key: facts[key] if value == FROM_DATA else filled_in(value, facts) for key, value in config.items()}


def parse_setting(text: str) -> tuple[str, Any]:
    """`"compile.kl_weight=0.1"` as path and value; the value is read as JSON, or else as text."""
    path, equals, raw = text.partition("=")
    if not equals:
        raise InputError(f"A setting is written PATH=VALUE, such as compile.kl_weight=0.1. Received: {text!r}.")
    try:
        return path, json.loads(raw)
    except json.JSONDecodeError:
        return path, raw


def leaves(config: Config, prefix: str = "") -> list[tuple[str, Any]]:
    """Every setting of a configuration as (dotted path, value)."""
    found = []
    for key, value in config.items():
        if isinstance(value, dict) and value:
            found += leaves(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", value))
    return found


# Studies: description, preset, and for each factor what each of its labels sets, by dotted path.
STUDIES: dict[str, tuple[str, str, dict[str, dict[str, dict[str, Any]]]]] = {
    "latent": (
        "how many latent dimensions a microstructure needs: 2, 4, 8, 16, 32",
        "vae_study",
        {
            "latent_dim": {
                str(count): {
                    "networks.encoder.config.latent_dim": count,
                    "networks.decoder.config.latent_dim": count,
                }
                for count in (2, 4, 8, 16, 32)
            }
        },
    ),
    "layers": (
        "how many convolutions in encoder and decoder: 2, 3, 4, with 16 latent dimensions",
        "vae_study",
        {
            "layers": {
                str(len(encoder)): {
                    "networks.encoder.config.filters": encoder,
                    "networks.decoder.config.filters": decoder,
                }
                for encoder, decoder in (
                    ([16, 32], [32, 16]),
                    ([16, 32, 64], [64, 32, 16]),
                    ([16, 32, 64, 128], [128, 64, 32, 16]),
                )
            }
        },
    ),
}
