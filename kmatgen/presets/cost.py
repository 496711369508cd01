"""What a preset costs: its parameters, counted, and the time it takes to train, measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kmatgen.presets import Config, resolve

if TYPE_CHECKING:
    import tensorflow as tf

    from kmatgen.models.base import GenerativeModel

# Seconds to train on 1000 samples, with the preset's own sizes, in float32 on 2 cores (x86-64) without a GPU:
# processor time of both cores, halved. Measured by benchmarks/presets.py; a preset that is not here was not measured.
SECONDS_PER_1000: dict[str, float] = {
    "vae": 1.8,
    "autoencoder": 1.8,
    "dcgan_64": 3.2,
    "wgan_gp_64": 3.8,
    "wgan_gp_small": 2.3,
    "sngan_64": 3.4,
    "wgan_gp_fraction": 3.9,
    "wgan_gp_phases": 6.2,
    "acgan_32": 0.89,
    "conditional_gan_32": 0.93,
    "diffusion_64": 7.4,
}

# Enough synthetic samples to see their shape.
_FEW = 10


def parameters(preset: str) -> int | None:
    """Number of parameters of a preset's model on its own data, which are few here; nothing is trained.

    `None` for a preset of crystals, whose networks are as the crystals are: it takes seconds to read some.

    Raises:
        InputError: There is no such preset, or its data are not here.
    """
    from kmatgen.data.crystal_entries import holds_crystals

    if holds_crystals(resolve(preset)["data"]["source"]):
        return None
    model, _ = opened(preset, _FEW)
    return model.count_params()


def opened(preset: str, n: int) -> tuple[GenerativeModel, tf.data.Dataset]:
    """A preset's model and the training samples of its own data, of which synthetic ones are only `n`."""
    from kmatgen.data.sources import open_source
    from kmatgen.training import build_model

    config: Config = resolve(preset, {"data.polycrystal.n": n, "data.phases.n": n})
    source = open_source(config["data"], config["seed"])
    return build_model(config, source.sample_shape, source.facts), source.train
