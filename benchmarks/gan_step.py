"""A step of WGAN-GP and of DCGAN at 32 x 32: kmatgen against the same networks in a hand-written Keras `train_step`
and in PyTorch, channels-last.

Also `generate` against `predict`, and the cost against the batch size and `d_steps`.

    python benchmarks/gan_step.py --rounds 5
"""

from __future__ import annotations

import argparse
import os
from functools import partial

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
import torch
from torch import nn
from turns import Work, machine, take_turns

import kmatgen as kg
from kmatgen.networks import dcgan_discriminator, dcgan_generator

SHAPE, LATENT, STEPS = (32, 32, 1), 100, 20


def networks(kind: str) -> tuple[keras.Model, keras.Model]:
    """The same networks for both sides."""
    normalization = "layer" if kind == "wgan_gp" else "batch"
    return dcgan_generator(SHAPE, LATENT, 32), dcgan_discriminator(SHAPE, 32, normalization=normalization)


def data_for(batch: int, d_steps: int) -> tf.data.Dataset:
    """Random images, for both sides the same way: only the time of steps counts."""
    images = np.random.default_rng(0).random((STEPS * batch * d_steps, *SHAPE), np.float32)
    return kg.data.batches(images, batch, seed=None, d_steps=d_steps)


def with_kmatgen(kind: str, batch: int, d_steps: int) -> Work:
    """`STEPS` steps of the model class."""
    cls = kg.WGANGP if kind == "wgan_gp" else kg.DCGAN
    model = cls(*networks(kind), seed=0)
    model.compile(d_steps=d_steps)
    data = data_for(batch, d_steps)
    return lambda: model.fit(data, epochs=1, verbose=0)


class HandWritten(keras.Model):
    """What a tutorial's reader ends up with."""

    def __init__(self, kind: str, batch: int, d_steps: int) -> None:
        super().__init__()
        self.kind, self.batch, self.d_steps = kind, batch, d_steps
        self.generator, self.discriminator = networks(kind)
        self.built = True

    def compile(self) -> None:
        """Both optimisers."""
        super().compile(optimizer=keras.optimizers.Adam(1e-4, 0.5), jit_compile=False)
        self.d_optimizer = keras.optimizers.Adam(1e-4, 0.5)
        self.d_optimizer.build(self.discriminator.trainable_variables)

    def train_step(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """`d_steps` steps of the critic and one of the generator."""
        for step in range(self.d_steps):
            real = images[step * self.batch : (step + 1) * self.batch]
            fake = self.generator(tf.random.normal((self.batch, LATENT)), training=True)
            with tf.GradientTape() as tape:
                d_loss = self.d_loss(real, fake)
            gradients = tape.gradient(d_loss, [v.value for v in self.discriminator.trainable_variables])
            self.d_optimizer.apply(gradients, self.discriminator.trainable_variables)
        with tf.GradientTape() as tape:
            fake = self.generator(tf.random.normal((self.batch, LATENT)), training=True)
            score = self.discriminator(fake, training=True)["score"]
            g_loss = -tf.reduce_mean(score) if self.kind == "wgan_gp" else tf.reduce_mean(tf.nn.softplus(-score))
        gradients = tape.gradient(g_loss, [v.value for v in self.generator.trainable_variables])
        self.optimizer.apply(gradients, self.generator.trainable_variables)
        return {"d_loss": d_loss, "g_loss": g_loss}

    def d_loss(self, real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
        """Wasserstein with gradient penalty, or cross-entropy."""
        real_score = self.discriminator(real, training=True)["score"]
        fake_score = self.discriminator(fake, training=True)["score"]
        if self.kind == "dcgan":
            return tf.reduce_mean(tf.nn.softplus(-real_score)) + tf.reduce_mean(tf.nn.softplus(fake_score))
        mix = tf.random.uniform((self.batch, 1, 1, 1))
        between = mix * real + (1 - mix) * fake
        with tf.GradientTape() as tape:
            tape.watch(between)
            score = self.discriminator(between, training=True)["score"]
        gradient = tape.gradient(score, between)
        norm = tf.sqrt(tf.reduce_sum(gradient**2, axis=(1, 2, 3)) + 1e-12)
        penalty = tf.reduce_mean((norm - 1) ** 2)
        return tf.reduce_mean(fake_score) - tf.reduce_mean(real_score) + 10 * penalty


def by_hand(kind: str, batch: int, d_steps: int) -> Work:
    """`STEPS` steps of the hand-written model."""
    model = HandWritten(kind, batch, d_steps)
    model.compile()
    data = data_for(batch, d_steps)
    return lambda: model.fit(data, epochs=1, verbose=0, shuffle=False)


def torch_networks(kind: str) -> tuple[nn.Module, nn.Module]:
    """The same networks in PyTorch: numbers of trainable parameters are equal."""

    def normalised(channels: int) -> nn.Module:
        layer_norm = nn.GroupNorm(1, channels, eps=1e-3)
        return layer_norm if kind == "wgan_gp" else nn.BatchNorm2d(channels, eps=2e-5, momentum=0.1)

    def up(before: int, after: int, bias: bool = False) -> nn.Module:
        return nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=bias)

    generator = nn.Sequential(
        nn.Linear(LATENT, 128 * 16, bias=False),
        nn.Unflatten(1, (128, 4, 4)),
        *(nn.BatchNorm2d(128, eps=2e-5), nn.ReLU(), up(128, 64)),
        *(nn.BatchNorm2d(64, eps=2e-5), nn.ReLU(), up(64, 32)),
        *(nn.BatchNorm2d(32, eps=2e-5), nn.ReLU(), up(32, 1, bias=True), nn.Sigmoid()),
    )
    discriminator = nn.Sequential(
        *(nn.Conv2d(1, 32, 4, stride=2, padding=1), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(32, 64, 4, stride=2, padding=1, bias=False), normalised(64), nn.LeakyReLU(0.2)),
        *(nn.Conv2d(64, 128, 4, stride=2, padding=1, bias=False), normalised(128), nn.LeakyReLU(0.2)),
        *(nn.Flatten(), nn.Linear(128 * 16, 1)),
    )
    return generator.to(memory_format=torch.channels_last), discriminator.to(memory_format=torch.channels_last)


def torch_d_loss(kind: str, discriminator: nn.Module, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """Wasserstein with gradient penalty, or cross-entropy."""
    real_score, fake_score = discriminator(real), discriminator(fake)
    if kind == "dcgan":
        return nn.functional.softplus(-real_score).mean() + nn.functional.softplus(fake_score).mean()
    mix = torch.rand(len(real), 1, 1, 1)
    between = (mix * real + (1 - mix) * fake).requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
    norm = (gradient.square().sum((1, 2, 3)) + 1e-12).sqrt()
    return fake_score.mean() - real_score.mean() + 10 * (norm - 1).square().mean()


def with_torch(kind: str, batch: int, d_steps: int) -> Work:
    """`STEPS` steps in PyTorch, images channels-last."""
    generator, discriminator = torch_networks(kind)
    g_optimizer, d_optimizer = (
        torch.optim.Adam(network.parameters(), 1e-4, (0.5, 0.999)) for network in (generator, discriminator)
    )
    images = torch.rand(STEPS * d_steps, batch, 1, SHAPE[0], SHAPE[1])

    def work() -> None:
        for index, real in enumerate(images):
            real = real.contiguous(memory_format=torch.channels_last)
            with torch.no_grad():
                fake = generator(torch.randn(batch, LATENT))
            d_optimizer.zero_grad(set_to_none=True)
            torch_d_loss(kind, discriminator, real, fake).backward()
            d_optimizer.step()
            if index % d_steps == d_steps - 1:
                g_optimizer.zero_grad(set_to_none=True)
                score = discriminator(generator(torch.randn(batch, LATENT)))
                (-score if kind == "wgan_gp" else nn.functional.softplus(-score)).mean().backward()
                g_optimizer.step()

    return work


def with_generate(batch: int) -> Work:
    """`STEPS` times `batch` samples from the model."""
    model = kg.DCGAN(*networks("dcgan"), seed=0)

    def work() -> None:
        for seed in range(STEPS):
            model.generate(batch, seed=seed, batch_size=batch)

    return work


def with_predict(batch: int) -> Work:
    """The same with Keras' `predict`, as sampling callbacks do."""
    generator = networks("dcgan")[0]
    rng = np.random.default_rng(0)

    def work() -> None:
        for _ in range(STEPS):
            generator.predict(rng.standard_normal((batch, LATENT), np.float32), batch_size=batch, verbose=0)

    return work


def compare_steps(rounds: int) -> None:
    """A step against the same in Keras by hand and in PyTorch."""
    for kind, d_steps in (("dcgan", 1), ("wgan_gp", 5)):
        options = {"kind": kind, "batch": 32, "d_steps": d_steps}
        makers = {"kmatgen": with_kmatgen, "by hand": by_hand, "PyTorch": with_torch}
        seconds = take_turns({name: partial(make, **options) for name, make in makers.items()}, rounds)
        time, speed = seconds["kmatgen"] / seconds["by hand"], seconds["PyTorch"] / seconds["kmatgen"]
        print(
            f"{kind}: {1e3 * seconds['kmatgen'] / STEPS:.1f} ms a step, {time:.3f} x the time of a hand-written step "
            f"(goal: at most 1.03), {speed:.2f} x the speed of PyTorch (goal: at least 1.0)",
            flush=True,
        )


def compare_sampling(rounds: int) -> None:
    """Samples from `generate` against `predict`."""
    for batch in (1, 16, 64):
        seconds = take_turns(
            {"generate": partial(with_generate, batch), "predict": partial(with_predict, batch)}, rounds
        )
        print(
            f"{batch} samples at 32 x 32: generate {1e3 * seconds['generate'] / STEPS:.1f} ms, "
            f"{seconds['predict'] / seconds['generate']:.1f} x the speed of predict (goal at 64: 5)",
            flush=True,
        )


def cost_table(rounds: int) -> None:
    """WGAN-GP against batch size and `d_steps`."""
    print("WGAN-GP, ms a step:")
    for batch in (16, 32, 64):
        peers = {str(d): partial(with_kmatgen, "wgan_gp", batch, d) for d in (1, 2, 5)}
        row = take_turns(peers, rounds)
        print(
            f"  batch {batch:>3}: " + ", ".join(f"d_steps {d} {1e3 * t / STEPS:.0f}" for d, t in row.items()),
            flush=True,
        )


PARTS = {"steps": compare_steps, "sampling": compare_sampling, "cost": cost_table}


def main() -> None:
    """Print the ratios, then the cost table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="timed turns of each peer (default: 5)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="what to measure (default: all)")
    options = parser.parse_args()
    print(machine())
    for part in options.parts:
        PARTS[part](options.rounds)


if __name__ == "__main__":
    main()
