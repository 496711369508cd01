"""Mixtures of Gaussians, the usual test for mode collapse: a ring of 8 and a grid of 25, in two dimensions.

For each model: how many modes have at least 20 of 2,500 samples within three standard deviations, and the share of
all samples that lie within three standard deviations of a mode. The vanilla minimax GAN stands beside as a contrast.

    python benchmarks/gaussians.py --seeds 3
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from turns import machine

import kmatgen as kg
from kmatgen.networks import mlp_discriminator, mlp_generator

N_SAMPLES, LEAST, LATENT = 2500, 20, 8


def ring() -> tuple[np.ndarray, float]:
    """Centres and standard deviation of 8 Gaussians on a circle of radius 2."""
    angles = 2 * np.pi * np.arange(8) / 8
    return 2 * np.stack([np.cos(angles), np.sin(angles)], axis=1), 0.05


def grid() -> tuple[np.ndarray, float]:
    """Centres and standard deviation of 25 Gaussians on a 5 x 5 grid, 1 apart."""
    ticks = np.arange(-2, 3)
    return np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2).astype(float), 0.05


def draw(centres: np.ndarray, deviation: float, n: int, seed: int) -> np.ndarray:
    """Samples of the mixture, with equal weights."""
    rng = np.random.default_rng(seed)
    return (centres[rng.integers(len(centres), size=n)] + rng.normal(0, deviation, (n, 2))).astype(np.float32)


def make(name: str, seed: int) -> kg.GAN:
    """A compiled model on multilayer perceptrons."""
    keras.utils.set_random_seed(seed)
    generator = mlp_generator((2,), LATENT, (128, 128, 128), output_activation="linear")
    normalization = "spectral" if name == "SNGAN" else None
    discriminator = mlp_discriminator((2,), (128, 128, 128), normalization=normalization)
    cls = {"minimax GAN": kg.GAN, "WGAN-GP": kg.WGANGP, "SNGAN": kg.SNGAN}[name]
    model = cls(generator, discriminator, seed=seed)
    adam = {"class_name": "Adam", "config": {"learning_rate": 1e-3, "beta_1": 0.5, "beta_2": 0.9}}
    if name == "WGAN-GP":
        # The data span 4: a penalty of 0.1 lets the critic resolve modes that are 0.05 wide (as the paper's toys do).
        model.compile(adam, adam, terms=[kg.GradientPenalty(0.1)])
    elif name == "SNGAN":
        model.compile(adam, adam, d_steps=5)
    else:
        model.compile(adam, adam, loss="minimax")
    return model


def judge(samples: np.ndarray, centres: np.ndarray, deviation: float) -> tuple[int, float]:
    """Number of modes found, and the share of samples within three standard deviations of one."""
    distances = np.linalg.norm(samples[:, None] - centres[None], axis=2)
    near = distances.min(axis=1) < 3 * deviation
    counts = np.bincount(distances.argmin(axis=1)[near], minlength=len(centres))
    return int((counts >= LEAST).sum()), float(near.mean())


def main() -> None:
    """Train each model on each mixture for each seed; print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="seeds of each model (default: 3)")
    parser.add_argument("--steps", type=int, default=6000, help="generator steps (default: 6000)")
    parser.add_argument("--models", nargs="*", default=["minimax GAN", "WGAN-GP", "SNGAN"], help="models to train")
    options = parser.parse_args()
    print(machine())
    for label, (centres, deviation) in {"ring of 8": ring(), "grid of 25": grid()}.items():
        for name in options.models:
            for seed in range(options.seeds):
                model = make(name, seed)
                model.steps_per_execution = 50
                data = draw(centres, deviation, 100_000, seed=100 + seed)
                steps_an_epoch = 500
                batches = kg.data.batches(data, 128, d_steps=model.d_steps, seed=seed, shuffle_buffer=100_000)
                batches = batches.repeat().take(steps_an_epoch)
                start = time.perf_counter()
                half = options.steps // steps_an_epoch // 2
                model.fit(batches, epochs=half, verbose=0)
                for optimizer in (model.g_optimizer, model.d_optimizer):
                    optimizer.learning_rate = 2e-4
                model.fit(batches, epochs=half, verbose=0)
                modes, near = judge(model.generate(N_SAMPLES, seed=seed, batch_size=N_SAMPLES), centres, deviation)
                seconds = time.perf_counter() - start
                print(
                    f"{label:<11} {name:<12} seed {seed}: {modes:>2} of {len(centres)} modes, "
                    f"{100 * near:.0f} % within 3 sigma, {seconds:.0f} s",
                    flush=True,
                )


if __name__ == "__main__":
    main()
