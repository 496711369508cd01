"""Micrographs from files: does reading them slow training, and is it as fast as Keras' own reader?

5,000 grey PNG files of 64 x 64. (a) An epoch of the latent-16 VAE fed from the files against the same from memory;
(b) one pass over the files against `keras.utils.image_dataset_from_directory`; (c) peak memory of one pass over
1,000 and over 20,000 files, each in a process of its own.

    python benchmarks/micrograph_pipeline.py --rounds 3
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import tempfile
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from PIL import Image
from turns import Work, machine, take_turns

import kmatgen as kg

SIZE, BATCH = 64, 64


def write_files(folder: Path, count: int) -> None:
    """Write distinct grey polycrystals as PNG files."""
    images = kg.data.polycrystal(min(count, 1000), SIZE, colouring="grey", seed=0).images
    pixels = kg.plotting.to_uint8(images[..., 0])
    folder.mkdir()
    for index in range(count):
        Image.fromarray(np.roll(pixels[index % len(pixels)], index // len(pixels), axis=1)).save(
            folder / f"{index:05d}.png"
        )


def training_epoch(folder: Path, in_memory: bool) -> Work:
    """An epoch of the VAE."""
    samples = kg.data.micrograph_patches(kg.data.find_micrographs(folder), SIZE)
    if in_memory:
        samples = np.stack(list(samples.as_numpy_iterator()))
    shape = (SIZE, SIZE, 1)
    vae = kg.VAE(kg.networks.conv_encoder(shape), kg.networks.conv_decoder(shape), seed=0)
    vae.compile("adam")
    data = kg.data.batches(samples, BATCH, seed=0, shuffle_buffer=1000)
    return lambda: vae.fit(data, epochs=1, verbose=0)


def pass_of_kmatgen(folder: Path) -> Work:
    """Read every file once."""
    samples = kg.data.micrograph_patches(kg.data.find_micrographs(folder), SIZE)
    data = kg.data.batches(samples, BATCH, seed=None, drop_remainder=False)
    return partial(_exhaust, data)


def pass_of_keras(folder: Path) -> Work:
    """Read every file once."""
    data = keras.utils.image_dataset_from_directory(
        folder, labels=None, color_mode="grayscale", image_size=(SIZE, SIZE), batch_size=BATCH, shuffle=False, verbose=0
    )
    return partial(_exhaust, data)


def _exhaust(data: object) -> None:
    for _ in data:
        pass


def peak_memory(folder: Path) -> float:
    """Peak resident memory in MB of a fresh process that finds the files and reads them once."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_read_and_measure, (folder,))


def _read_and_measure(folder: Path) -> float:
    pass_of_kmatgen(folder)()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run the three comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="timed turns of each peer (default: 3)")
    parser.add_argument("--many", type=int, default=20_000, help="files of the larger folder (default: 20000)")
    options = parser.parse_args()
    rounds, many = options.rounds, options.many
    print(machine())
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "5000"
        write_files(folder, 5000)
        epochs = take_turns({n: partial(training_epoch, folder, n == "memory") for n in ("memory", "files")}, rounds)
        print("epoch from memory {memory:.2f} s, from files {files:.2f} s".format(**epochs))
        print(f"ratio: {epochs['files'] / epochs['memory']:.3f} x  (goal: at most 1.05 x)")

        passes = {"Keras": partial(pass_of_keras, folder), "kmatgen": partial(pass_of_kmatgen, folder)}
        passes = take_turns(passes, 5 * rounds)
        print("one pass, Keras {Keras:.3f} s, kmatgen {kmatgen:.3f} s".format(**passes))
        print(f"ratio: {passes['Keras'] / passes['kmatgen']:.2f} x Keras' speed  (goal: at least 1.0 x)")

        memory = {}
        for count in (1000, many):
            write_files(Path(scratch) / f"memory_{count}", count)
            memory[count] = peak_memory(Path(scratch) / f"memory_{count}")
        print(f"peak memory, 1,000 files: {memory[1000]:.0f} MB; {many:,} files: {memory[many]:.0f} MB")
        print(f"difference: {100 * (memory[many] / memory[1000] - 1):.1f} %  (goal: less than 20 %)")


if __name__ == "__main__":
    main()
