"""Presets: named, complete configurations of a training run, as Python data.

A preset holds only what differs from `DEFAULTS`. `resolve` gives the whole configuration, which is what
a run writes to `config.json` and can be repeated from.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from kmatgen.errors import InputError

Config = dict[str, Any]

DEFAULTS: Config = {
    "preset": "",
    "seed": 0,
    "precision": "float32",
    # One of kmatgen.distribute.STRATEGIES
    "strategy": "auto",
    "data": {
        # "polycrystal", "tfds:NAME", or a folder of micrographs
        "source": "polycrystal",
        "size": 64,
        "channels": None,
        "test_fraction": 0.1,
        "polycrystal": {
            "n": 1000,
            # None: from 3/8 to 5/8 of the size.
            "grain_size": None,
            "spread": 0.3,
            "elongation": [1.0, 1.5],
            "colouring": "ipf",
        },
        "micrographs": {
            "stride": None,
            "per_image": None,
            "scale": "auto",
            "augment": [],
            "crop_data_bar": True,
            "metadata": None,
            "strict": False,
        },
    },
    "model": {"class_name": "vae", "config": {}},
    "networks": {},
    "compile": {},
    # ema: decay of the averaged weights that a GAN is sampled and exported with, such as 0.999. None: raw weights.
    "fit": {"epochs": 30, "batch_size": 32, "sample_every": 10, "ema": None},
}

_CONV_VAE: Config = {
    "networks": {
        "encoder": {"builder": "conv_encoder", "config": {"latent_dim": 16, "filters": [16, 32, 64, 128]}},
        "decoder": {"builder": "conv_decoder", "config": {"latent_dim": 16, "filters": [128, 64, 32, 16]}},
    },
    "compile": {
        "optimizer": {"class_name": "Adam", "config": {"learning_rate": 1e-3}},
        "reconstruction": "binary_crossentropy",
    },
}


def _gan(model: str, normalization: str | None, filters: int = 32) -> Config:
    """A GAN of 64 x 64 images on DCGAN networks; the optimisers are the published ones, from the class."""
    return {
        "model": {"class_name": model, "config": {}},
        "networks": {
            "generator": {"builder": "dcgan_generator", "config": {"latent_dim": 100, "filters": filters}},
            "discriminator": {
                "builder": "dcgan_discriminator",
                "config": {"filters": filters, "normalization": normalization},
            },
        },
        "compile": {"g_optimizer": None, "d_optimizer": None, "loss": None, "terms": None, "d_steps": None},
        "fit": {"epochs": 100},
    }


PRESETS: dict[str, tuple[str, Config]] = {
    "vae": (
        "convolutional VAE of the microstructure study, 16 latent dimensions",
        {
            **_CONV_VAE,
            "compile": {**_CONV_VAE["compile"], "kl_weight": 0.012, "kl_reduction": "mean"},
        },
    ),
    "autoencoder": (
        "the same networks without sampling: how well can they reconstruct at all",
        {
            **_CONV_VAE,
            "model": {"class_name": "autoencoder", "config": {}},
            "networks": {
                "encoder": {
                    "builder": "conv_encoder",
                    "config": {**_CONV_VAE["networks"]["encoder"]["config"], "variational": False},
                },
                "decoder": _CONV_VAE["networks"]["decoder"],
            },
        },
    ),
    "dcgan_64": ("DCGAN, the plain convolutional GAN: quick, and quick to collapse", _gan("dcgan", "batch")),
    "wgan_gp_64": ("WGAN with gradient penalty: the steady one, 5 critic steps a step", _gan("wgan_gp", "layer")),
    "sngan_64": ("hinge loss and spectral normalisation: nearly as steady, much cheaper", _gan("sngan", "spectral")),
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
    if old is not None and value is not None and type(value) is not type(old):
        raise InputError(f"{path} takes a value like {json.dumps(old)}. Received: {json.dumps(value)}.")
    node[last] = value


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


def _merge(config: Config, changes: Config) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(config.get(key), dict):
            _merge(config[key], value)
        else:
            config[key] = value


# Studies: description, preset, and for each factor what each of its labels sets, by dotted path.
STUDIES: dict[str, tuple[str, str, dict[str, dict[str, dict[str, Any]]]]] = {
    "latent": (
        "how many latent dimensions a microstructure needs: 2, 4, 8, 16, 32",
        "vae",
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
        "vae",
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
