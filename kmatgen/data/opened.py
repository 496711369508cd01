"""Opened data: samples to train on, samples held out, their conditions, and a description."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import tensorflow as tf

from kmatgen.data.conditions import otsu_threshold, phase_fraction
from kmatgen.errors import InputError

if TYPE_CHECKING:
    from kmatgen.data.crystal_source import CrystalSource

# Held-out samples kept in memory, for validation and pictures.
MOST_TEST_SAMPLES = 1024


class Source(NamedTuple):
    """Opened data.

    Attributes:
        train: Dataset of single samples, or of pairs of sample and condition.
        test: Held-out samples `(n, ...)`, or a dict of such arrays.
        description: What the data are; goes into the run and into the manifest of an export.
        test_condition: The conditions of the held-out samples, `(n,)` class ids or `(n, size)`, where there are any.
        condition: What kind of condition, as the networks' builders take it: `{"classes": n}` or `{"size": n}`.
        threshold: The grey value above which a pixel belongs to the phase, where that is known or asked for.
        train_groups: The image that each training sample is cut from. `None`: each is one.
        test_groups: The same of the held-out samples.
        alike: Samples that this gives the same number for belong in a batch, see `kmatgen.data.batches`.
        crystals: The crystals that the samples stand for.
        repeats: Whether every pass gives the same training samples, so that they may be kept.
    """

    train: tf.data.Dataset
    test: Any
    description: dict[str, Any]
    test_condition: Any = None
    condition: dict[str, Any] | None = None
    threshold: float | None = None
    train_groups: np.ndarray | None = None
    test_groups: np.ndarray | None = None
    alike: Callable[..., tf.Tensor] | None = None
    crystals: CrystalSource | None = None
    repeats: bool = True

    @property
    def sample_shape(self) -> Any:
        """Shape of one sample: a tuple, or a dict of them."""
        if isinstance(self.test, dict):
            return {name: tuple(values.shape[1:]) for name, values in self.test.items()}
        return tuple(self.test.shape[1:])

    @property
    def held_out(self) -> Any:
        """The held-out samples, or the pair of them and their conditions."""
        return self.test if self.test_condition is None else (self.test, self.test_condition)

    @property
    def facts(self) -> dict[str, Any]:
        """What a configuration may leave to the data, by the name of the argument, see `kmatgen.presets.FROM_DATA`."""
        condition, classes = self.condition, (self.condition or {}).get("classes")
        known = {"condition": condition, "classes": classes, "threshold": self.threshold}
        return {name: fact for name, fact in known.items() if fact is not None}

    def example_condition(self, n: int) -> np.ndarray | None:
        """Conditions of `n` held-out samples from the least to the greatest, some more than once if there are few.

        None where there are none, or several of different kinds.
        """
        if self.test_condition is None or isinstance(self.test_condition, dict):
            return None
        first_column = self.test_condition.reshape(len(self.test_condition), -1)[:, 0]
        ranks = np.round(np.linspace(0, len(first_column) - 1, n)).astype(int)
        return self.test_condition[np.argsort(first_column, kind="stable")[ranks]]


def opened(
    train: tf.data.Dataset | np.ndarray,
    test: tf.data.Dataset | np.ndarray | dict[str, np.ndarray],
    description: dict[str, Any],
) -> Source:
    """A source without conditions, of datasets or arrays of samples.

    Raises:
        InputError: Nothing is held out.
    """
    if isinstance(train, np.ndarray):
        train = tf.data.Dataset.from_tensor_slices(train)
    if isinstance(test, tf.data.Dataset):
        test = _kept(test)
    source = Source(train, test, description)
    n = len(test) if isinstance(test, np.ndarray) else len(next(iter(test.values())))
    return source._replace(description={**description, "sample_shape": source.sample_shape, "test_samples": n})


def opened_with_classes(
    train: tf.data.Dataset, test: tf.data.Dataset, description: dict[str, Any], classes: int
) -> Source:
    """A source of pairs of sample and class id."""
    samples, labels = _kept(test)
    source = opened(train, samples, {**description, "classes": classes})
    return source._replace(test_condition=labels.astype(np.int32), condition={"classes": classes})


def with_phase_fractions(source: Source, threshold: float | None = None) -> Source:
    """The source with the phase fraction of each channel as the condition of each sample.

    Args:
        source: A source of samples alone.
        threshold: Values above it belong to the phase. None: the source's own, or else `otsu_threshold` of the training
            samples, which are read for it.

    Raises:
        InputError: The samples are coloured, or all of one value.
    """
    level = source.threshold if threshold is None else threshold
    if source.sample_shape[-1] == 3 and level is None:
        raise InputError(
            "A phase fraction is measured in grey images; use --channels 1, or data.polycrystal.colouring=grey. "
            f"Received: {source.sample_shape[-1]} channels."
        )
    level = otsu_threshold(source.train) if level is None else level

    def measured(sample: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return sample, phase_fraction(sample, level)

    fractions = np.stack([phase_fraction(tf.constant(sample), level).numpy() for sample in source.test])
    return source._replace(
        train=source.train.map(measured, num_parallel_calls=tf.data.AUTOTUNE),
        description={
            **source.description,
            "phase_threshold": level,
            "phase_fractions": [fractions.min(axis=0).tolist(), fractions.max(axis=0).tolist()],
        },
        test_condition=fractions,
        condition={"size": fractions.shape[1]},
        threshold=level,
    )


def _kept(samples: tf.data.Dataset) -> Any:
    """The first held-out samples as arrays."""
    kept = list(samples.take(MOST_TEST_SAMPLES).as_numpy_iterator())
    if not kept:
        raise InputError("The held-out part of the data needs at least one sample. Received: none.")
    return tf.nest.map_structure(lambda *rows: np.stack(rows), *kept)
