"""What a configuration's `data` names, opened: samples to train on, samples held out, and a description."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from kmatgen.data.inspection import find_micrographs
from kmatgen.data.patches import micrograph_patches
from kmatgen.data.pipeline import from_tfds
from kmatgen.data.polycrystals import polycrystal
from kmatgen.data.splits import split_files
from kmatgen.errors import InputError

# Held-out samples kept in memory, for validation and pictures.
_MOST_TEST_SAMPLES = 1024


class Source(NamedTuple):
    """Opened data.

    Attributes:
        train: Dataset of single samples.
        test: Held-out samples `(n, ...)`.
        description: What the data are; goes into the run and into the manifest of an export.
    """

    train: tf.data.Dataset
    test: np.ndarray
    description: dict[str, Any]

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return tuple(self.train.element_spec.shape)


def open_source(data: dict[str, Any], seed: int, progress: bool = False, first_epoch: int = 0) -> Source:
    """Open the data of a configuration.

    Args:
        data: The `data` part of a configuration, see `kmatgen.presets.DEFAULTS`.
        seed: Seed of synthetic data, of the split and of random crops.
        progress: Show progress bars.
        first_epoch: Epochs already trained; random crops and flips go on from there.

    Raises:
        InputError: The data cannot be used.
    """
    if not 0 < data["test_fraction"] < 1:
        raise InputError(f"data.test_fraction lies between 0 and 1. Received: {data['test_fraction']}.")
    source = str(data["source"])
    if source == "polycrystal":
        return _polycrystals(data, seed, progress)
    if source.startswith("tfds:"):
        return _tfds(data, source.removeprefix("tfds:"))
    return _micrographs(data, Path(source), seed, progress, first_epoch)


def _polycrystals(data: dict[str, Any], seed: int, progress: bool) -> Source:
    options = {key: _as_range(value) for key, value in data["polycrystal"].items()}
    options["grain_size"] = options["grain_size"] or (0.375 * data["size"], 0.625 * data["size"])
    made = polycrystal(size=data["size"], seed=seed, progress=progress, **options)
    held_out = max(1, round(data["test_fraction"] * len(made.images)))
    if held_out >= len(made.images):
        raise InputError(f"Training needs at least 2 images. Received: data.polycrystal.n={len(made.images)}.")
    description = {
        "source": "synthetic polycrystals",
        **options,
        "size": data["size"],
        "seed": seed,
        "measured_mean_diameter_px": float(np.mean([grains.mean_diameter for grains in made.statistics])),
        "content_hash": hashlib.sha256(made.images.tobytes()).hexdigest(),
    }
    return _described(made.images[:-held_out], made.images[-held_out:], description)


def _tfds(data: dict[str, Any], name: str) -> Source:
    percent = round(100 * (1 - data["test_fraction"]))
    splits = [f"train[:{percent}%]", f"train[{percent}%:]"]
    train, test = (from_tfds(name, split, data["size"]) for split in splits)
    description = {"source": f"TensorFlow Datasets, {name}", "size": data["size"], "content_hash": None}
    return _described(train, _held_out(test), description)


def _micrographs(data: dict[str, Any], folder: Path, seed: int, progress: bool, first_epoch: int) -> Source:
    options = data["micrographs"]
    files = find_micrographs(
        folder,
        metadata=options["metadata"],
        crop_data_bar=options["crop_data_bar"],
        strict=options["strict"],
        channels=data["channels"],
        progress=progress,
    )
    if len({file.path for file in files}) < 2:
        raise InputError(
            "Training and held-out patches come from different images, so at least 2 are needed. "
            f"Received: {len(files)} usable in {folder}."
        )
    train_files, test_files = split_files(files, data["test_fraction"], seed)
    cutting = {key: options[key] for key in ("stride", "per_image", "scale")}
    cutting |= {"size": data["size"], "channels": data["channels"], "seed": seed}
    train = micrograph_patches(train_files, augment=tuple(options["augment"]), first_epoch=first_epoch, **cutting)
    test = micrograph_patches(test_files, **cutting)
    description = {
        "source": str(folder),
        **files.describe(),
        "patch_size": data["size"],
        "train_files": len({file.path for file in train_files}),
        "test_files": len({file.path for file in test_files}),
        "train_patches": int(train.cardinality()),
        "content_hash": files.content_hash,
    }
    return _described(train, _held_out(test), description)


def _held_out(samples: tf.data.Dataset) -> np.ndarray:
    kept = list(samples.take(_MOST_TEST_SAMPLES).as_numpy_iterator())
    if not kept:
        raise InputError("The held-out part of the data needs at least one sample. Received: none.")
    return np.stack(kept)


def _described(train: tf.data.Dataset | np.ndarray, test: np.ndarray, description: dict[str, Any]) -> Source:
    if isinstance(train, np.ndarray):
        train = tf.data.Dataset.from_tensor_slices(train)
    return Source(train, test, {**description, "sample_shape": list(test.shape[1:]), "test_samples": len(test)})


def _as_range(value: Any) -> Any:
    """JSON has no tuples: a range is written as a list."""
    return tuple(value) if isinstance(value, list) else value
