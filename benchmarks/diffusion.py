"""Diffusion of 64 x 64 images with the small U-Net of `diffusion_64`: kmatgen against the same network in PyTorch.

A training step is a batch of 32 with AdamW; sampling is 64 images by 20 steps of DDIM. PyTorch runs channels-last, the
better of plain and compiled.

    python benchmarks/diffusion.py --rounds 5

With a finished run, the quality of samples by 20 steps of DDIM against 250 of the ancestral sampler instead:

    python benchmarks/diffusion.py --run runs/diffusion_64 -n 256
"""

from __future__ import annotations

import argparse
import math
import os
from functools import partial

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from turns import Work, machine, take_turns

import kmatgen as kg
from kmatgen.run import Run

SIDE, BATCH, STEPS, SAMPLES, SAMPLING_STEPS, EMBEDDING = 64, 32, 5, 64, 20, 128
FILTERS, PATCH = (32, 64, 128), 2


def images() -> np.ndarray:
    """The images of `STEPS` batches: only the time counts."""
    return np.random.default_rng(0).random((STEPS * BATCH, SIDE, SIDE, 1), np.float32)


def kmatgen_model() -> kg.Diffusion:
    """As `kmatgen train diffusion_64` makes it."""
    shape = (SIDE, SIDE, 1)
    model = kg.Diffusion(
        kg.networks.unet(shape, FILTERS, patch=PATCH, embedding=EMBEDDING),
        kg.networks.image_encoder(shape),
        kg.networks.image_decoder(shape),
        seed=0,
    )
    model.compile(kg.optimizers.AdamW(1e-3))
    return model


def train_kmatgen() -> Work:
    """`STEPS` steps of `fit`."""
    model, data = kmatgen_model(), kg.data.batches(images(), BATCH, seed=None)
    return lambda: model.fit(data, epochs=1, verbose=0)


def sample_kmatgen() -> Work:
    """`generate`."""
    model = kmatgen_model()
    return lambda: model.generate(SAMPLES, seed=0, steps=SAMPLING_STEPS)


class Block(nn.Module):
    """Two convolutions of normalised maps, modulated by a vector."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.shortcut = nn.Identity() if before == after else nn.Conv2d(before, after, 1)
        self.norm_0, self.norm_1 = nn.GroupNorm(8, before, 1e-3), nn.GroupNorm(8, after, 1e-3)
        self.conv_0, self.conv_1 = nn.Conv2d(before, after, 3, padding=1), nn.Conv2d(after, after, 3, padding=1)
        self.scale, self.offset = nn.Linear(EMBEDDING, after), nn.Linear(EMBEDDING, after)

    def forward(self, x: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
        """Maps of `after` channels."""
        hidden = self.norm_1(self.conv_0(functional.silu(self.norm_0(x))))
        hidden = hidden * (1 + self.scale(vector)[:, :, None, None]) + self.offset(vector)[:, :, None, None]
        return self.shortcut(x) + self.conv_1(functional.silu(hidden))


class TorchUNet(nn.Module):
    """The same network, with as many parameters."""

    def __init__(self) -> None:
        super().__init__()
        levels = [FILTERS[0], *FILTERS]
        self.register_buffer("frequencies", torch.logspace(0, 3, EMBEDDING // 2))
        self.time = nn.Sequential(
            nn.Linear(EMBEDDING, EMBEDDING), nn.SiLU(), nn.Linear(EMBEDDING, EMBEDDING), nn.SiLU()
        )
        self.stem = nn.Conv2d(1, FILTERS[0], 3, stride=PATCH, padding=1)
        self.down = nn.ModuleList(Block(before, after) for before, after in zip(levels, FILTERS, strict=False))
        self.attention_norm = nn.GroupNorm(8, FILTERS[-1], 1e-3)
        self.attention = nn.MultiheadAttention(FILTERS[-1], 4, batch_first=True)
        self.middle = Block(FILTERS[-1], FILTERS[-1])
        below = [*FILTERS[1:], FILTERS[-1]]
        self.up = nn.ModuleList(Block(low + count, count) for low, count in zip(below, FILTERS, strict=True))
        self.last_norm = nn.GroupNorm(8, FILTERS[0], 1e-3)
        self.last = nn.Conv2d(FILTERS[0], PATCH**2, 3, padding=1)

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        """The velocity."""
        angles = time[:, None] * self.frequencies
        vector = self.time(torch.cat([torch.sin(angles), torch.cos(angles)], 1))
        x, skips = self.stem(x), []
        for level, block in enumerate(self.down):
            x = block(functional.avg_pool2d(x, 2) if level else x, vector)
            skips.append(x)
        points = self.attention_norm(x).flatten(2).transpose(1, 2)
        x = x + self.attention(points, points, points, need_weights=False)[0].transpose(1, 2).reshape(x.shape)
        x = self.middle(x, vector)
        for level in reversed(range(len(FILTERS))):
            x = self.up[level](torch.cat([x, skips[level]], 1), vector)
            x = functional.interpolate(x, scale_factor=2) if level else x
        return functional.pixel_shuffle(self.last(functional.silu(self.last_norm(x))), PATCH)


def torch_network(compiled: bool) -> nn.Module:
    """The network, channels-last."""
    network = TorchUNet().to(memory_format=torch.channels_last)
    return torch.compile(network) if compiled else network


def train_torch(compiled: bool) -> Work:
    """The same steps written by hand."""
    network = torch_network(compiled)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    data = torch.from_numpy(images()).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)

    def steps() -> None:
        for start in range(0, len(data), BATCH):
            clean = 2 * data[start : start + BATCH] - 1
            noise = torch.randn_like(clean)
            time = (torch.arange(BATCH) + torch.rand(1)) / BATCH
            alpha, sigma = (f(0.5 * math.pi * time)[:, None, None, None] for f in (torch.cos, torch.sin))
            velocity = alpha * noise - sigma * clean
            optimizer.zero_grad(set_to_none=True)
            functional.mse_loss(network(alpha * clean + sigma * noise, time), velocity).backward()
            optimizer.step()

    return steps


def sample_torch(compiled: bool) -> Work:
    """DDIM written by hand."""
    network = torch_network(compiled).eval()

    @torch.inference_mode()
    def sample() -> None:
        x = torch.randn(SAMPLES, 1, SIDE, SIDE).contiguous(memory_format=torch.channels_last)
        for index in range(SAMPLING_STEPS):
            angle, to = (0.5 * math.pi * (1 - (index + step) / SAMPLING_STEPS) for step in (0, 1))
            velocity = network(x, torch.full((SAMPLES,), angle / (0.5 * math.pi)))
            clean, noise = (
                math.cos(angle) * x - math.sin(angle) * velocity,
                math.sin(angle) * x + math.cos(angle) * velocity,
            )
            x = math.cos(to) * clean + math.sin(to) * noise

    return sample


def compare_samplers(run: str, n: int) -> None:
    """KID to held-out data of both samplers, and the mean grain diameter, beside the same of real samples."""
    samplers = {"DDIM, 20 steps": ("ddim", 20), "ancestral, 250 steps": ("ancestral", 250)}
    model, distances = Run.open(run).load_model("best"), {}
    for name, (sampler, steps) in samplers.items():
        table = kg.evaluate(model.generate(n, seed=1, sampler=sampler, steps=steps), run, ["kid", "grain_size"], n)
        print(f"{name}, n = {n}, seed 1\n{table}")
        distances[sampler] = table["kid"].value
    print(f"ratio of KID: {distances['ddim'] / distances['ancestral']:.2f}  (goal: at most 1.2)")


def main() -> None:
    """Time all peers in turns and print the ratios of their medians, or compare samplers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="timed turns of each peer (default: 5)")
    parser.add_argument("--run", help="compare the samplers of this run instead")
    parser.add_argument("-n", type=int, default=256, help="samples of each sampler (default: 256)")
    arguments = parser.parse_args()
    if arguments.run:
        compare_samplers(arguments.run, arguments.n)
        return
    rounds = arguments.rounds
    print(machine())
    ours, peers = kmatgen_model().denoiser.count_params(), sum(p.numel() for p in TorchUNet().parameters())
    print(f"parameters: kmatgen {ours:,}, PyTorch {peers:,}")
    work = {
        "a training step": (train_kmatgen, train_torch, STEPS),
        f"{SAMPLES} samples": (sample_kmatgen, sample_torch, 1),
    }
    for what, (own, torch_work, count) in work.items():
        seconds = take_turns(
            {
                "kmatgen": own,
                "PyTorch": partial(torch_work, compiled=False),
                "PyTorch compiled": partial(torch_work, compiled=True),
            },
            rounds,
        )
        for name, value in seconds.items():
            print(f"{what}: {name:<18} {value / count:.3f} s (median of {rounds})")
        best = min(value for name, value in seconds.items() if name != "kmatgen")
        print(f"{what}: ratio to PyTorch {best / seconds['kmatgen']:.2f} x  (goal: at least 1.0 x)")


if __name__ == "__main__":
    main()
