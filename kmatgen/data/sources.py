"""What a configuration's `data` names, opened: samples to train on, samples held out, and a description."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from kmatgen.data.conditions import CONDITIONS, otsu_threshold
from kmatgen.data.crystal_entries import holds_crystals
from kmatgen.data.crystal_source import open_crystals
from kmatgen.data.digits import load_digits
from kmatgen.data.folders import check_source
from kmatgen.data.inspection import find_micrographs
from kmatgen.data.kinds import Kinds
from kmatgen.data.micrographs import Micrographs
from kmatgen.data.opened import MOST_TEST_SAMPLES, Source, opened, opened_with_classes, with_phase_fractions
from kmatgen.data.patches import large_enough, micrograph_patches, patch_count, patch_owners
from kmatgen.data.phases import phase_fields
from kmatgen.data.pipeline import from_tfds, tfds_classes
from kmatgen.data.polycrystals import polycrystal
from kmatgen.data.splits import split_files
from kmatgen.errors import InputError


def open_source(data: dict[str, Any], seed: int, progress: bool = False, first_pass: int = 0) -> Source:
    """Open the data of a configuration.

    Args:
        data: The `data` part of a configuration, see `kmatgen.presets.DEFAULTS`.
        seed: Seed of synthetic data, of the split and of random crops.
        progress: Show progress bars.
        first_pass: Passes over the data already made; random crops and flips go on from there.

    Raises:
        InputError: The data cannot be used.
    """
    if not 0 < data["test_fraction"] < 1:
        raise InputError(f"data.test_fraction lies between 0 and 1. Received: {data['test_fraction']}.")
    if data["condition"] not in (None, *CONDITIONS):
        raise InputError(f"data.condition is null, {' or '.join(CONDITIONS)}. Received: {data['condition']!r}.")
    threshold = data["phase_threshold"]
    if threshold is not None and not 0 <= threshold < 1:
        raise InputError(f"data.phase_threshold is a grey value from 0 to below 1. Received: {threshold}.")
    source = _open(data, seed, progress, first_pass)
    if data["condition"] == "phase_fraction":
        return with_phase_fractions(source, threshold)
    return source


def _open(data: dict[str, Any], seed: int, progress: bool, first_pass: int) -> Source:
    kind, _, name = str(data["source"]).partition(":")
    if data["condition"] == "class" and kind in ("polycrystal", "phases"):
        raise _no_classes(data)
    if kind == "polycrystal":
        return _polycrystals(data, seed, progress)
    if kind == "phases":
        return _phases(data, seed, progress)
    if kind == "digits":
        return _digits(data, name or None, seed)
    if kind == "tfds":
        return _tfds(data, name)
    check_source(data["source"])
    if holds_crystals(data["source"]):
        if data["condition"] == "class":
            raise _no_classes(data)
        return _crystals(data, seed, progress)
    return _micrographs(data, Path(data["source"]), seed, progress, first_pass)


def _no_classes(data: dict[str, Any]) -> InputError:
    return InputError(
        "data.condition=class needs data with classes: digits, tfds:NAME, or micrographs in a subfolder for each. "
        f"Received: {data['source']}."
    )


def _polycrystals(data: dict[str, Any], seed: int, progress: bool) -> Source:
    options = {key: _as_range(value) for key, value in data["polycrystal"].items()}
    options["grain_size"] = options["grain_size"] or (0.375 * data["size"], 0.625 * data["size"])
    made = polycrystal(size=data["size"], seed=seed, progress=progress, **options)
    description = {
        "source": "synthetic polycrystals",
        **options,
        "size": data["size"],
        "seed": seed,
        "measured_mean_diameter_px": float(np.mean([grains.mean_diameter for grains in made.statistics])),
        "content_hash": _hash_of(made.images),
    }
    return opened(*_split(made.images, data), description)


def _phases(data: dict[str, Any], seed: int, progress: bool) -> Source:
    options = {key: _as_range(value) for key, value in data["phases"].items()}
    options["correlation_length"] = options["correlation_length"] or data["size"] / 12
    made = phase_fields(size=data["size"], seed=seed, progress=progress, **options)
    description = {
        "source": "synthetic phase fields",
        **options,
        "size": data["size"],
        "seed": seed,
        "mean_phase_fractions": made.fractions.mean(axis=0).tolist(),
        "content_hash": _hash_of(made.images),
    }
    # The images are indicators of the phases.
    return opened(*_split(made.images, data), description)._replace(threshold=0.5)


def _digits(data: dict[str, Any], folder: str | None, seed: int) -> Source:
    digits = load_digits(folder, data["size"])
    order = np.random.default_rng(seed).permutation(len(digits.images))
    images, labels = digits.images[order], digits.labels[order]
    description = {
        "source": digits.source,
        "size": data["size"],
        "content_hash": _hash_of(images, labels),
    }
    train, test = _split(images, data)
    if data["condition"] != "class":
        return opened(train, test, description)
    pairs = map(tf.data.Dataset.from_tensor_slices, zip((train, test), _split(labels, data), strict=True))
    return opened_with_classes(*pairs, description, classes=int(labels.max()) + 1)


def _tfds(data: dict[str, Any], name: str) -> Source:
    percent = round(100 * (1 - data["test_fraction"]))
    splits = [f"train[:{percent}%]", f"train[{percent}%:]"]
    description = {"source": f"TensorFlow Datasets, {name}", "size": data["size"], "content_hash": None}
    if data["condition"] != "class":
        return opened(*(from_tfds(name, split, data["size"]) for split in splits), description)
    pairs = [from_tfds(name, split, data["size"], with_label=True) for split in splits]
    return opened_with_classes(*pairs, description, tfds_classes(name))


def _micrographs(data: dict[str, Any], folder: Path, seed: int, progress: bool, first_pass: int) -> Source:
    options = data["micrographs"]
    files = _usable(data, folder, progress)
    kinds = Kinds(files, options.get("class_column"), options["metadata"]) if data["condition"] == "class" else None
    split = split_files if kinds is None else kinds.split
    train_files, test_files = split(files, data["test_fraction"], seed)
    # Runs that began before there was such a setting go on as they began.
    crops = _crops(options, train_files, data["size"], options.get("most_patches"))
    augment = tuple(options["augment"])
    train, owners = _patches(train_files, data, seed, crops, augment=augment, first_epoch=first_pass)
    test_crops = _crops(options, test_files, data["size"], MOST_TEST_SAMPLES)
    test, test_owners = _patches(test_files, data, seed, test_crops)
    description = {
        "source": str(folder),
        **files.describe(),
        "patch_size": data["size"],
        "train_files": len({file.path for file in train_files}),
        "test_files": len({file.path for file in test_files}),
        "train_patches": int(train.cardinality()),
        "content_hash": files.content_hash,
    }
    if kinds is None:
        source = opened(train, test, description)
    else:
        labels = kinds.labels(train_files, owners), kinds.labels(test_files, test_owners)
        pairs = map(tf.data.Dataset.zip, ((train, _rows(labels[0])), (test, _rows(labels[1]))))
        source = opened_with_classes(*pairs, {**description, "class_names": kinds.names}, len(kinds.names))
    source = _mixed_up(source._replace(train_groups=owners, test_groups=test_owners), seed)
    source = source._replace(repeats=not augment and crops is None)
    if data["condition"] != "phase_fraction" or data["phase_threshold"] is not None:
        return source
    # Not of `train`, whose random crops go by the number of the pass.
    return source._replace(threshold=otsu_threshold(_patches(train_files, data, seed, None)[0]))


def _usable(data: dict[str, Any], folder: Path, progress: bool) -> Micrographs:
    """The micrographs that hold a patch, of which at least two differ."""
    options = data["micrographs"]
    found = find_micrographs(
        folder,
        metadata=options["metadata"],
        crop_data_bar=options["crop_data_bar"],
        strict=options["strict"],
        channels=data["channels"],
        progress=progress,
    )
    files = large_enough(found, data["size"], options["strict"])
    different = len({file.sha256 for file in files})
    if different < 2:
        raise InputError(
            "Training and held-out patches come from different images, so at least 2 are needed; cut a large one into "
            f"several. Received: {different} usable in {folder}, copies not counted."
        )
    return files


def _patches(
    files: Micrographs, data: dict[str, Any], seed: int, crops: int | None, **drawing: Any
) -> tuple[tf.data.Dataset, np.ndarray]:
    """Tiles, or so many random crops of each image, and the image that each is cut from."""
    options = data["micrographs"]
    cut = {"size": data["size"], "stride": options["stride"], "per_image": crops}
    patches = micrograph_patches(files, **cut, scale=options["scale"], channels=data["channels"], seed=seed, **drawing)
    return patches, patch_owners(files, **cut)


def _mixed_up(source: Source, seed: int) -> Source:
    """The held-out samples in another order: pictures show the first of them, of all images and not of one."""
    order = np.random.default_rng(seed).permutation(len(source.test))
    condition = source.test_condition
    return source._replace(
        test=source.test[order],
        test_condition=None if condition is None else condition[order],
        test_groups=source.test_groups[order],
    )


def _rows(values: np.ndarray) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(values)


def _crops(options: dict[str, Any], files: Micrographs, size: int, most: int | None) -> int | None:
    """How many random crops of each image make about `most` patches; None for tiles, where they are no more."""
    if options["stride"] or options["per_image"]:
        return options["per_image"]
    tiles = patch_count(files, size).total
    return None if most is None or tiles <= most else max(1, round(most / len(files)))


def _crystals(data: dict[str, Any], seed: int, progress: bool) -> Source:
    options = {**data["crystals"], "test_fraction": data["test_fraction"], "seed": seed, "progress": progress}
    crystals = open_crystals(data["source"], **options)
    train, test = ((crystals.fields(table), crystals.told(table)) for table in (crystals.train, crystals.test))
    pairs = tf.data.Dataset.from_tensor_slices(train[0] if train[1] is None else train)
    return opened(pairs, test[0], {"source": str(data["source"]), **crystals.describe()})._replace(
        test_condition=test[1], alike=crystals.alike, crystals=crystals
    )


def _split(samples: np.ndarray, data: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """The samples to train on and the last ones, which are held out."""
    held_out = max(1, round(data["test_fraction"] * len(samples)))
    if held_out >= len(samples):
        raise InputError(f"Training needs at least 2 images. Received: {len(samples)} from {data['source']}.")
    return samples[:-held_out], samples[-held_out:]


def _as_range(value: Any) -> Any:
    """JSON has no tuples: a range is written as a list."""
    return tuple(value) if isinstance(value, list) else value


def _hash_of(*arrays: np.ndarray) -> str:
    """One sha256 over the values of arrays, one after the other; no copy is made of them."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
