"""Mixtures of Gaussians, the usual test for mode collapse: a ring of 8 and a grid of 25, in two dimensions.

For each model: how many modes have at least 20 of 2,500 samples within three standard deviations, and the share of
all samples that lie within three standard deviations of a mode. The vanilla minimax GAN stands beside as a contrast.

    python benchmarks/gaussians.py --seeds 3
"""

from __future__ import annotations

import argparse
import os
import time
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from turns import machine

import kmatgen as kg
from kmatgen.networks import mlp_discriminator, mlp_generator

N_SAMPLES, LEAST, LATENT, UNITS, BATCH, EPOCH = 2500, 20, 8, (128, 128, 128), 256, 400
# A critic whose slope is at most 1 at every layer has to see a mode as wide as its scores are: data of this scale.
SCALES = {"SNGAN": 10.0}


class Mixture(NamedTuple):
    """Gaussians of equal weight: centres `(modes, 2)` and their common standard deviation."""

    centres: np.ndarray
    deviation: float

    def draw(self, n: int, seed: int) -> np.ndarray:
        """Samples `(n, 2)`."""
        rng = np.random.default_rng(seed)
        noise = rng.normal(0, self.deviation, (n, 2))
        return (self.centres[rng.integers(len(self.centres), size=n)] + noise).astype(np.float32)


def ring() -> Mixture:
    """8 Gaussians on a circle of radius 2, of deviation 0.05, all divided by the root of 2 for unit variance."""
    angles = 2 * np.pi * np.arange(8) / 8
    return Mixture(2 * np.stack([np.cos(angles), np.sin(angles)], axis=1) / 2**0.5, 0.05 / 2**0.5)


def grid() -> Mixture:
    """25 Gaussians on a 5 x 5 grid, 2 apart and of deviation 0.05, all divided by the root of 8 for unit variance."""
    ticks = 2 * np.arange(-2, 3) / 8**0.5
    return Mixture(np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2), 0.05 / 8**0.5)


def make(name: str, seed: int) -> kg.GAN:
    """A compiled model on multilayer perceptrons."""
    keras.utils.set_random_seed(seed)
    generator = mlp_generator((2,), LATENT, UNITS, output_activation="linear")
    discriminator = mlp_discriminator((2,), UNITS, normalization="spectral" if name == "SNGAN" else None)
    cls = {"minimax GAN": kg.GAN, "WGAN-GP": kg.WGANGP, "SNGAN": kg.SNGAN}[name]
    model = cls(generator, discriminator, seed=seed)
    settings = {role: keras.optimizers.Adam(1e-3, 0.0, 0.9) for role in ("g_optimizer", "d_optimizer")}
    if name == "WGAN-GP":
        # A weak penalty, as usual for toys: the critic may be steeper than 1 where modes are 0.02 wide.
        settings |= {"terms": [kg.GradientPenalty(0.1)], "d_steps": 2}
    elif name == "SNGAN":
        settings |= {"d_steps": 2}
    else:
        settings |= {"loss": "minimax"}
    model.compile(**settings, steps_per_execution=20)
    return model


class Decay(keras.callbacks.Callback):
    """Both learning rates: constant for the first half, then down to 2 % in a straight line."""

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Set them."""
        share = max(0.02, min(1.0, 2 * (1 - epoch / self.params["epochs"])))
        for optimizer in (self.model.g_optimizer, self.model.d_optimizer):
            optimizer.learning_rate = 1e-3 * share


def judge(samples: np.ndarray, mixture: Mixture) -> tuple[int, float]:
    """Number of modes found, and the share of samples within three standard deviations of one."""
    distances = np.linalg.norm(samples[:, None] - mixture.centres[None], axis=2)
    near = distances.min(axis=1) < 3 * mixture.deviation
    counts = np.bincount(distances.argmin(axis=1)[near], minlength=len(mixture.centres))
    return int((counts >= LEAST).sum()), float(near.mean())


def run(name: str, mixture: Mixture, seed: int, steps: int) -> str:
    """Train and judge; the result in words."""
    scale = SCALES.get(name, 1.0)
    model = make(name, seed)
    data = scale * mixture.draw(200_000, seed=100 + seed)
    # Independent samples need no shuffling.
    batches = kg.data.batches(data, BATCH, d_steps=model.d_steps, seed=seed, shuffle_buffer=1).repeat()
    clock, processor = time.perf_counter(), time.process_time()
    model.fit(batches, steps_per_epoch=EPOCH, epochs=steps // EPOCH, callbacks=[Decay()], verbose=0)
    cores = os.cpu_count() or 1
    seconds = (
        f"{time.perf_counter() - clock:.0f} s ({(time.process_time() - processor) / cores:.0f} s of {cores} cores)"
    )
    samples = model.generate(N_SAMPLES, seed=seed, batch_size=N_SAMPLES) / scale
    modes, near = judge(samples, mixture)
    return f"{modes:>2} of {len(mixture.centres)} modes, {100 * near:.0f} % within 3 sigma, {steps} steps in {seconds}"


def main() -> None:
    """Train each model on each mixture for each seed; print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1, help="seeds of each model (default: 1)")
    parser.add_argument("--models", nargs="*", default=["minimax GAN", "WGAN-GP", "SNGAN"], help="models to train")
    parser.add_argument("--mixtures", nargs="*", default=["ring", "grid"], help="mixtures to learn")
    parser.add_argument("--ring-steps", type=int, default=6000, help="generator steps on the ring (default: 6000)")
    parser.add_argument("--grid-steps", type=int, default=24_000, help="generator steps on the grid (default: 24000)")
    options = parser.parse_args()
    print(machine())
    mixtures = {"ring": (ring(), options.ring_steps), "grid": (grid(), options.grid_steps)}
    for label in options.mixtures:
        mixture, steps = mixtures[label]
        for name in options.models:
            for seed in range(options.seeds):
                print(f"{label} {name:<12} seed {seed}: {run(name, mixture, seed, steps)}", flush=True)


if __name__ == "__main__":
    main()
