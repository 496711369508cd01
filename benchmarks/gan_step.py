"""A step of WGAN-GP and of DCGAN at 32 x 32: kmatgen against the same networks in a hand-written `train_step`.

Also the cost against the batch size and `d_steps`.

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
from turns import Work, machine, take_turns

import kmatgen as kg
from kmatgen.networks import dcgan_discriminator, dcgan_generator

SHAPE, LATENT, STEPS = (32, 32, 1), 100, 20


def networks(kind: str) -> tuple[keras.Model, keras.Model]:
    """The same networks for both sides."""
    normalization = "layer" if kind == "wgan_gp" else "batch"
    return dcgan_generator(SHAPE, LATENT, 32), dcgan_discriminator(SHAPE, 32, normalization=normalization)


def data_for(batch: int, d_steps: int) -> tf.data.Dataset:
    """Random images: only the time counts."""
    images = np.random.default_rng(0).random((STEPS * batch * d_steps, *SHAPE), np.float32)
    return tf.data.Dataset.from_tensor_slices(images).batch(batch * d_steps, drop_remainder=True).cache()


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


def main() -> None:
    """Print the ratios, then the cost table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="timed turns of each peer (default: 5)")
    rounds = parser.parse_args().rounds
    print(machine())
    for kind, d_steps in (("dcgan", 1), ("wgan_gp", 5)):
        options = {"kind": kind, "batch": 32, "d_steps": d_steps}
        peers = {"kmatgen": partial(with_kmatgen, **options), "by hand": partial(by_hand, **options)}
        seconds = take_turns(peers, rounds)
        ratio = seconds["kmatgen"] / seconds["by hand"]
        print(
            f"{kind}: {1e3 * seconds['kmatgen'] / STEPS:.0f} ms a step, {ratio:.3f} x the time of a hand-written step"
        )
    print("WGAN-GP, ms a step:")
    for batch in (16, 32, 64):
        peers = {str(d): partial(with_kmatgen, "wgan_gp", batch, d) for d in (1, 2, 5)}
        row = take_turns(peers, max(2, rounds // 2))
        print(f"  batch {batch:>3}: " + ", ".join(f"d_steps {d} {1e3 * t / STEPS:.0f}" for d, t in row.items()))


if __name__ == "__main__":
    main()
