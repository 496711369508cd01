"""The latent-16 VAE on 1000 images of 64 x 64 x 3, batch 64: `fit` against the same training written by hand.

Peers: (a) an eager GradientTape loop, as tutorials have it; (b) the same network in PyTorch (extra `bench`),
channels-last, the better of plain and compiled.

    python benchmarks/vae_training.py --rounds 5
"""

from __future__ import annotations

import argparse
import os
from functools import partial
from itertools import pairwise

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
import torch
from torch import nn
from turns import Work, machine, take_turns

import kmatgen as kg

SHAPE, LATENT, BATCH, KL_WEIGHT = (64, 64, 3), 16, 64, 0.012


def polycrystals() -> np.ndarray:
    """The images, the same for every peer."""
    return kg.data.polycrystal(1000, 64, seed=0).images


def with_fit() -> Work:
    """An epoch of kmatgen."""
    images = polycrystals()
    vae = kg.VAE(kg.networks.conv_encoder(SHAPE, LATENT), kg.networks.conv_decoder(SHAPE, LATENT), seed=0)
    vae.compile(kg.optimizers.Adam(1e-3), kl_weight=KL_WEIGHT)
    data = kg.data.batches(images, BATCH, seed=0)
    return lambda: vae.fit(data, epochs=1, verbose=0)


def with_eager_loop() -> Work:
    """An epoch of the loop that tutorials write: a GradientTape, run eagerly."""
    images = polycrystals()
    encoder, decoder = kg.networks.conv_encoder(SHAPE, LATENT), kg.networks.conv_decoder(SHAPE, LATENT)
    optimizer = keras.optimizers.Adam(1e-3)
    variables = encoder.trainable_variables + decoder.trainable_variables
    data = tf.data.Dataset.from_tensor_slices(images).shuffle(len(images)).batch(BATCH, drop_remainder=True)

    def epoch() -> None:
        for batch in data:
            with tf.GradientTape() as tape:
                posterior = encoder(batch, training=True)
                mean, log_var = posterior["mean"], posterior["log_var"]
                latent = mean + tf.exp(0.5 * log_var) * tf.random.normal(tf.shape(mean))
                logits = decoder(latent, training=True)
                loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=batch, logits=logits))
                loss -= 0.5 * KL_WEIGHT * tf.reduce_mean(1 + log_var - mean**2 - tf.exp(log_var))
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    return epoch


class TorchVAE(nn.Module):
    """The same network: 137,539 parameters, batch-normalisation statistics not counted by PyTorch."""

    def __init__(self) -> None:
        super().__init__()
        counts = (3, 16, 32, 64, 128)
        blocks = []
        for index, (before, after) in enumerate(pairwise(counts)):
            # "same" for an even kernel pads below and to the right alone.
            pad = [nn.ZeroPad2d((0, 1, 0, 1))] if index == 0 else []
            blocks += [*pad, nn.Conv2d(before, after, 2), nn.ReLU(), nn.MaxPool2d(2)]
        self.encoder = nn.Sequential(*blocks, nn.Flatten())
        self.mean, self.log_var = nn.Linear(1152, LATENT), nn.Linear(1152, LATENT)
        self.dense = nn.Sequential(nn.Linear(LATENT, 512), nn.ReLU())
        blocks = []
        for index, (before, after) in enumerate(zip((8, 128, 64, 32), (128, 64, 32, 16), strict=True)):
            blocks += [nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(before, after, 2), nn.ReLU()]
            blocks += [nn.BatchNorm2d(after, eps=1e-3, momentum=0.01), nn.LeakyReLU(0.3)]
            blocks += [nn.Upsample(scale_factor=2)] if index < 3 else []
        self.decoder = nn.Sequential(*blocks, nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(16, 3, 2))

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """The loss of a batch."""
        hidden = self.encoder(batch)
        mean, log_var = self.mean(hidden), self.log_var(hidden)
        latent = mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)
        maps = self.dense(latent).view(-1, 8, 8, 8).contiguous(memory_format=torch.channels_last)
        loss = nn.functional.binary_cross_entropy_with_logits(self.decoder(maps), batch)
        return loss - 0.5 * KL_WEIGHT * torch.mean(1 + log_var - mean**2 - torch.exp(log_var))


def with_torch(compiled: bool) -> Work:
    """An epoch of PyTorch."""
    images = polycrystals()
    model = TorchVAE().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    data = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    loss_of = torch.compile(model) if compiled else model

    def epoch() -> None:
        order = torch.randperm(len(data))
        for start in range(0, len(data) - BATCH + 1, BATCH):
            batch = data[order[start : start + BATCH]].contiguous(memory_format=torch.channels_last)
            optimizer.zero_grad(set_to_none=True)
            loss_of(batch).backward()
            optimizer.step()

    return epoch


def main() -> None:
    """Time all peers in turns and print the ratios of their medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="timed epochs of each peer (default: 5)")
    rounds = parser.parse_args().rounds
    seconds = take_turns(
        {
            "kmatgen fit": with_fit,
            "eager loop": with_eager_loop,
            "PyTorch": partial(with_torch, compiled=False),
            "PyTorch compiled": partial(with_torch, compiled=True),
        },
        rounds,
    )
    print(machine())
    for name, value in seconds.items():
        print(f"{name:<18} {value:.3f} s an epoch (median of {rounds})")
    best = min(value for name, value in seconds.items() if name.startswith("PyTorch"))
    print(f"ratio to the eager loop:   {seconds['eager loop'] / seconds['kmatgen fit']:.2f} x  (goal: at least 1.8 x)")
    print(f"ratio to PyTorch:          {best / seconds['kmatgen fit']:.2f} x  (goal: at least 1.0 x)")


if __name__ == "__main__":
    main()
