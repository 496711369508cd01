"""The real data that an evaluation is given, in one of several forms."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from kmatgen.errors import InputError
from kmatgen.evaluation.view import as_samples

# Real samples of a side kept in memory.
MOST_REAL = 4096


@dataclass(frozen=True)
class Real:
    """Real samples in two parts that share no image.

    Attributes:
        held_out: What generated samples are compared with, `(n, ..., channels)`.
        held_out_groups: The image that each was cut from.
        others: The training samples, or where those are not known further real samples.
        others_groups: The image that each was cut from.
        trained_on: Whether `others` are what the model was trained on.
        pixel_size: In micrometres, where all images have the same.
        notes: What a reader has to know, in sentences.
    """

    held_out: np.ndarray
    held_out_groups: np.ndarray
    others: np.ndarray
    others_groups: np.ndarray
    trained_on: bool
    pixel_size: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def images(self) -> int:
        """Number of images on both sides."""
        return len(np.unique(self.held_out_groups)) + len(np.unique(self.others_groups))


def open_real(data: Any, size: int | None, seed: int, channels: int | None = None, rank: int | None = None) -> Real:
    """Real samples from what a user has.

    Args:
        data: A run or its folder (its own held-out and training data), a folder of micrographs, a
            `kmatgen.data.sources.Source`, a pair of training and held-out samples, or samples alone, as an array or a
            `tf.data.Dataset` of single ones or of batches.
        size: Side of the patches to cut from micrographs, in pixels.
        seed: Of the random split where only samples are given, and of what is left out where there are very many.
        channels: Convert micrographs to so many channels.
        rank: Axes of a single sample with its channels, by which a dataset of batches is told from one of samples.

    Raises:
        InputError: The data cannot be used.
    """
    from kmatgen.data.opened import Source
    from kmatgen.run import CONFIG, Run

    if isinstance(data, (str, Path)):
        if (Path(data) / CONFIG).is_file():
            return _of_run(Run.open(data), seed)
        return _of_folder(Path(data), size, seed, channels)
    if isinstance(data, Run):
        return _of_run(data, seed)
    if isinstance(data, Source):
        return _of_source(data, seed)
    if isinstance(data, tuple) and len(data) == 2:
        train, held_out = (as_array(part, rank) for part in data)
        return _pair(train, held_out, None, None)
    return _halves(as_samples("real", as_array(data, rank)), None, seed, ())


def _of_run(run: Any, seed: int) -> Real:
    from kmatgen.data.sources import open_source

    source = open_source(run.config["data"], run.config["seed"])
    run.check_data(source.description)
    return _of_source(source, seed)


def _of_source(source: Any, seed: int) -> Real:
    train, train_groups = _some(source.train, source.train_groups, seed)
    # A source without groups has an image for each sample.
    groups = [
        np.arange(len(part)) if known is None else known
        for part, known in ((train, train_groups), (source.test, source.test_groups))
    ]
    return _pair(train, source.test, *groups, _pixel_size(source.description), _on_scales(source.description))


def _of_folder(folder: Path, size: int | None, seed: int, channels: int | None) -> Real:
    from kmatgen.data.inspection import find_micrographs
    from kmatgen.data.patches import micrograph_patches, patch_owners

    files = find_micrographs(folder, channels=channels)
    if size is None:
        raise InputError(f"Patches of micrographs are as large as the samples; give a size. Received: {folder}.")
    values, groups = _some(micrograph_patches(files, size, channels=channels), patch_owners(files, size), seed)
    description = files.describe()
    note = f"{folder} is divided by image at random: half of the images stand for the held-out ones."
    notes = (note, *_on_scales(description))
    return _halves(as_samples("real", values), groups, seed, notes, _pixel_size(description))


def _pair(
    train: np.ndarray,
    held_out: np.ndarray,
    train_groups: np.ndarray | None,
    held_out_groups: np.ndarray | None,
    pixel_size: float | None = None,
    notes: tuple[str, ...] = (),
) -> Real:
    train, held_out = as_samples("training", train), as_samples("held-out", held_out)
    check_same_shape("training", train, "held-out", held_out)
    if train_groups is None or held_out_groups is None:
        train_groups, held_out_groups = np.arange(len(train)), np.arange(len(held_out))
        notes = (
            *notes,
            "Each real sample is taken for an image of its own; patches of one image would make the floor low.",
        )
    # Numbers of their own: no image is on both sides.
    return Real(
        held_out, held_out_groups, train, train_groups + 1 + held_out_groups.max(), True, pixel_size, notes
    )  # fmt: skip


def _halves(
    samples: np.ndarray,
    groups: np.ndarray | None,
    seed: int,
    notes: tuple[str, ...],
    pixel_size: float | None = None,
) -> Real:
    """Real samples of which it is not known what a model was trained on."""
    from kmatgen.evaluation.resampling import split_by_image

    if groups is None:
        groups = np.arange(len(samples))
        notes = (
            "Real samples came as an array and were split at random: patches of one image may be on both sides, "
            "which makes the floor low.",
        )
    side = split_by_image(groups, 0.5, np.random.default_rng(seed))
    return Real(samples[side], groups[side], samples[~side], groups[~side], False, pixel_size, notes)


def _some(samples: Any, groups: np.ndarray | None, seed: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Samples of a dataset in memory, of very many a random choice."""
    if isinstance(samples.element_spec, tuple):
        samples = samples.map(lambda sample, *condition: sample)
    count = int(samples.cardinality())
    chosen = np.arange(count) if count <= MOST_REAL else np.random.default_rng(seed).permutation(count)[:MOST_REAL]
    kept = set(chosen.tolist())
    values = [value for index, value in enumerate(samples.as_numpy_iterator()) if index in kept]
    return np.stack(values), None if groups is None else groups[np.sort(chosen)]


def as_array(data: Any, rank: int | None = None) -> np.ndarray:
    """Samples from an array or a dataset, labels left out; fields as they are.

    Raises:
        InputError: They are in none of these.
    """
    if isinstance(data, dict):
        return data
    if not hasattr(data, "as_numpy_iterator"):
        array = np.asarray(data)
        if array.dtype == object:
            raise InputError(
                "Samples come from a model with generate, from an array, a tf.data.Dataset or a folder. "
                f"Received: {type(data).__name__}."
            )
        return array
    rows: list[np.ndarray] = []
    spec = data.element_spec[0] if isinstance(data.element_spec, tuple) else data.element_spec
    if not isinstance(spec, tf.TensorSpec):
        raise InputError(f"A dataset of samples has one tensor, and perhaps labels, in its elements. Received: {spec}.")
    # Batches that are all full say so in their shape.
    batched = spec.shape.rank is not None and (spec.shape[0] is None or (rank is not None and spec.shape.rank > rank))
    for element in data.as_numpy_iterator():
        values = element[0] if isinstance(element, tuple) else element
        rows += list(values) if batched else [values]
        if len(rows) >= MOST_REAL:
            break
    return np.stack(rows[:MOST_REAL])


def check_same_shape(name: str, values: np.ndarray, other_name: str, others: np.ndarray) -> None:
    """Make sure that two sets of samples can be compared.

    Raises:
        InputError: Their sizes or channels differ.
    """
    if values.shape[1:] != others.shape[1:]:
        raise InputError(
            f"{name} and {other_name} samples have to be of the same size and channels; cut the data with the size "
            f"of the samples. Received: {values.shape[1:]} and {others.shape[1:]}."
        )


def _pixel_size(description: dict[str, Any]) -> float | None:
    """The pixel size of images that all have the same."""
    known = description.get("pixel_size_um")
    if not isinstance(known, dict) or not known.get("known") or known["known"] != description.get("images"):
        return None
    return known["min"] if np.isclose(known["min"], known["max"], rtol=0.01) else None


def _on_scales(description: dict[str, Any]) -> tuple[str, ...]:
    """What is to be said of images that are not of one scale, as far as that is known."""
    sizes = description.get("pixel_size_um")
    if not isinstance(sizes, dict) or not sizes.get("known") or _pixel_size(description) is not None:
        return ()
    if sizes["known"] != description.get("images"):
        known = f"{sizes['known']} of {description.get('images')}"
        return (f"Lengths are in pixels: the pixel size of {known} images is known.",)
    widths = f"{sizes['min']:.3g} to {sizes['max']:.3g} um"
    return (f"Lengths are in pixels, of different scales: pixels are from {widths} wide.",)
