"""A WGAN-GP of micrographs that is asked for a phase fraction: how far off is what comes?

The fraction is that of the pixels above one threshold, Otsu's for all training patches together, each micrograph
scaled from its own least to its own greatest value. 256 samples are asked for the fractions of held-out patches; beside
their mean absolute error stands that of always making the mean fraction. Small networks and a strong term: this is
a test of the condition, not of the textures.

    python benchmarks/phase_fractions.py --data uhcs/ --steps 1500
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from turns import machine

import kmatgen as kg
from kmatgen import presets, training
from kmatgen.cli import run_or_explain
from kmatgen.data.sources import open_source
from kmatgen.evaluation.fractions import asked_and_made
from kmatgen.plotting import asked_figure, image_grid

RATE, LOOKS = 5e-4, 15


def configuration(data: str, seed: int) -> presets.Config:
    """The preset, small and with a strong term."""
    adam = {"class_name": "Adam", "config": {"learning_rate": RATE, "beta_1": 0.0, "beta_2": 0.9}}
    paths = {"data.source": data, "data.micrographs.scale": "image", "seed": seed, "fit.batch_size": 16}
    paths |= {"compile.d_steps": 1, "compile.g_optimizer": adam, "compile.d_optimizer": adam}
    paths |= {f"networks.{role}.config.filters": 8 for role in ("generator", "discriminator")}
    config = presets.resolve("wgan_gp_fraction", paths)
    config["compile"]["terms"][1]["config"] |= {"weight": 500.0, "width": 0.03}
    return config


def main() -> None:
    """Train, and print the error now and then."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder of micrographs")
    parser.add_argument("--steps", type=int, default=1500, help="generator steps (default: 1500)")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random (default: 0)")
    parser.add_argument("--out", type=Path, default=Path("runs/phase_fractions"), help="folder of the pictures")
    options = parser.parse_args()
    print(machine())
    config = configuration(options.data, options.seed)
    source = open_source(config["data"], options.seed)
    keras.utils.set_random_seed(options.seed)
    model = training.build_model(config, source.sample_shape, source.facts)
    batches = kg.data.batches(source.train, config["fit"]["batch_size"], seed=options.seed, cache=True).repeat()
    start = time.process_time()
    for look in range(1, LOOKS + 1):
        # Constant for the first half, then down in a straight line.
        for optimizer in (model.g_optimizer, model.d_optimizer):
            optimizer.learning_rate = RATE * min(1.0, 2 * (1 - (look - 1) / LOOKS))
        average = kg.callbacks.GeneratorEMA(0.99)
        model.fit(batches, steps_per_epoch=options.steps // LOOKS, callbacks=[average], verbose=0)
        asked, made = asked_and_made(model, source, seed=options.seed)
        seconds = (time.process_time() - start) / (os.cpu_count() or 1)
        error, guess = np.abs(made - asked).mean(), np.abs(asked - asked.mean()).mean()
        print(
            f"{look * (options.steps // LOOKS)} steps, {seconds:.0f} s of all cores: off by {error:.3f} "
            f"(always the mean: {guess:.3f}; threshold {source.threshold:.3f})",
            flush=True,
        )
    samples = model.generate(64, source.example_condition(64), seed=options.seed)
    print(image_grid(samples, options.out / "samples.png", columns=8))
    print(asked_figure(asked, made, options.out / "asked.png"))


if __name__ == "__main__":
    run_or_explain(main)
