"""From samples to training batches: shuffled, cached and prefetched, in an order that a seed fixes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from kmatgen.data.ranges import check_whole_numbers
from kmatgen.errors import InputError

# Batches among which samples that are alike are put together.
_WINDOW = 16
# Batches made ready while a step runs.
_AHEAD = 2


def batches(
    data: tf.data.Dataset | np.ndarray | dict[str, np.ndarray] | tuple,
    batch_size: int = 64,
    *,
    seed: int | None = 0,
    shuffle_buffer: int = 4096,
    cache: bool | str | Path = False,
    d_steps: int = 1,
    first_epoch: int = 0,
    drop_remainder: bool = True,
    alike: Callable[..., tf.Tensor] | None = None,
) -> tf.data.Dataset:
    """Batch samples for `fit`.

    Every pass over the result is one epoch. The order of epoch `k` depends on `seed` and `k` alone, so that a
    run resumed with `first_epoch=k` sees what the run that was not interrupted would have seen.

    Args:
        data: Samples: a dataset of single samples, an array, or a dict or tuple of arrays with equal first axes.
        batch_size: Samples in a batch.
        seed: Seed of the order. `None` keeps the order of the data, for evaluation.
        shuffle_buffer: Number of samples among which the next one is drawn; memory grows with it.
            At least the number of samples gives a uniform shuffle.
        cache: Keep the samples after their first reading: `True` in memory, a path in a file there.
        d_steps: Discriminator steps of a GAN: each batch holds `d_steps * batch_size` samples, fresh data for
            every step.
        first_epoch: Number of epochs already seen.
        drop_remainder: Leave out a last, partial batch: wanted in training, not in evaluation.
        alike: Put samples together in batches that are alike in what this gives for a batch of them, `(n,)`, such as
            their numbers of sites: of 16 batches at a time, in an order that stays random.

    Returns:
        A dataset of batches, finite and of known length where `data` is.

    Raises:
        InputError: A number is below 1, or there are fewer samples than one batch and partial batches are left out.
    """
    check_whole_numbers(batch_size=(batch_size, 1), d_steps=(d_steps, 1), shuffle_buffer=(shuffle_buffer, 1))
    samples = data if isinstance(data, tf.data.Dataset) else tf.data.Dataset.from_tensor_slices(data)
    size = batch_size * d_steps
    count = int(samples.cardinality())
    _check_enough(count, size if drop_remainder else 1)
    if cache:
        samples = samples.cache() if cache is True else samples.cache(str(cache))

    def batched(epoch: tf.data.Dataset) -> tf.data.Dataset:
        return epoch.batch(size, drop_remainder=drop_remainder, num_parallel_calls=tf.data.AUTOTUNE)

    if seed is None:
        return _as_trained_on(batched(samples).prefetch(_AHEAD))
    buffer = min(shuffle_buffer, count) if count > 0 else shuffle_buffer

    def mixed(order: tf.Tensor) -> tf.data.Dataset:
        epoch = samples.shuffle(buffer, seed=order, reshuffle_each_iteration=False)
        if alike is None:
            return batched(epoch)
        grouped = batched(_grouped(epoch, alike, _WINDOW * size))
        return grouped.shuffle(_WINDOW, seed=order, reshuffle_each_iteration=False)

    result = _passes(mixed, seed, first_epoch)
    if count > 0:
        length = count // size if drop_remainder else -(-count // size)
        result = result.apply(tf.data.experimental.assert_cardinality(length))
    return _as_trained_on(result.prefetch(_AHEAD))


def _check_enough(count: int, least: int) -> None:
    """Refuse a known number of samples below the least."""
    if 0 <= count < least:
        raise InputError(
            f"A batch needs {least} samples; use a smaller batch_size or more data. Received: {count} samples."
        )


def _passes(mixed: Callable[[tf.Tensor], tf.data.Dataset], seed: int, first_epoch: int) -> tf.data.Dataset:
    """Every pass over the result is mixed anew, by the seed and the number of the pass."""
    passes = tf.Variable(first_epoch, dtype=tf.int64, trainable=False)

    def next_pass(_: Any) -> tf.data.Dataset:
        # Keras starts a new iterator for every epoch; the variable counts them.
        number = passes.assign_add(1)
        # The seed of this small graph alone: `shuffle` would mix in the global one, and fails where that is 0.
        tf.compat.v1.set_random_seed(1)
        return mixed(tf.random.stateless_uniform((), tf.stack([seed, number]), 0, tf.int64.max, tf.int64))

    return tf.data.Dataset.from_tensors(0).flat_map(next_pass)


def map_with_draws(
    samples: tf.data.Dataset,
    change: Callable[[Any, tf.Tensor], Any],
    seed: int = 0,
    first_epoch: int = 0,
    **parallel: Any,
) -> tf.data.Dataset:
    """Change samples at random, in every pass anew, by the seed, the number of the pass and that of the sample.

    Args:
        samples: Single samples, in an order that stays.
        change: A function of a sample and of a key `(2,)` for TensorFlow's stateless random operations.
        seed: Another seed, other draws.
        first_epoch: Number of passes already seen by a run that is resumed.
        parallel: Arguments of `Dataset.map`.
    """

    def one_pass(draw: tf.Tensor) -> tf.data.Dataset:
        # Room for several draws of one sample.
        return samples.enumerate().map(lambda index, row: change(row, tf.stack([draw, 4 * index])), **parallel)

    return _passes(one_pass, seed, first_epoch)


def _grouped(samples: tf.data.Dataset, alike: Callable[..., tf.Tensor], window: int) -> tf.data.Dataset:
    """The samples sorted, a window of them at a time, by what `alike` gives for them."""

    def sort(*window: Any) -> Any:
        order = tf.argsort(alike(*window), stable=True)
        rows = tf.nest.map_structure(lambda values: tf.gather(values, order), window)
        return rows if len(rows) > 1 else rows[0]

    return samples.batch(window).map(sort).unbatch()


def _as_trained_on(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """With TensorFlow's choices that suit neither several workers nor short epochs made otherwise."""
    options = tf.data.Options()
    # Workers each take their rows of every batch; TensorFlow's own choice may be whole files instead.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    # The thread that tunes a pipeline often lets the end of an epoch wait for it, by up to 0.2 s. Without it what
    # says AUTOTUNE runs on all cores, 16 at the most.
    options.autotune.enabled = False
    return dataset.with_options(options)


def from_tfds(
    name: str,
    split: str,
    size: int | None = None,
    *,
    with_label: bool = False,
    data_dir: str | Path | None = None,
) -> tf.data.Dataset:
    """Images of a TensorFlow Datasets set, as float32 in [0, 1].

    Args:
        name: Name of the set, with its configuration where it has several: `"mnist"`, `"polycrystals/ipf_64"`.
        split: A split expression, such as `"train"` or `"train[:80%]"`.
        size: Side in pixels to resize to, with anti-aliasing. `None` keeps the images as they are.
        with_label: Give pairs of image and class id.
        data_dir: Folder of prepared sets. Defaults to TensorFlow Datasets' own.

    Returns:
        A dataset of single images `(size, size, channels)`, or of pairs.

    Raises:
        InputError: There is no such set or split, it cannot be had, or it has no images or no labels.
    """
    import tensorflow_datasets as tfds

    import kmatgen.data.polycrystals_tfds  # noqa: F401  registers "polycrystals"

    try:
        dataset, info = tfds.load(name, split=split, data_dir=data_dir, with_info=True, shuffle_files=False)
    except (tfds.core.registered.DatasetNotFoundError, ValueError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"TensorFlow Datasets cannot give {name!r}, split {split!r}: {reason} Received: {name}, {split}."
        ) from error
    images = [key for key, feature in info.features.items() if isinstance(feature, tfds.features.Image)]
    if not images:
        raise InputError(f"A set with an image feature is needed. Received: {name} with {', '.join(info.features)}.")
    if with_label and "label" not in info.features:
        raise InputError(f"A set with a label feature is needed. Received: {name} with {', '.join(info.features)}.")
    key = "image" if "image" in images else images[0]
    scale = float(np.iinfo(info.features[key].np_dtype).max)

    def to_sample(example: dict[str, tf.Tensor]) -> Any:
        image = tf.cast(example[key], tf.float32) / scale
        image = image if size is None else tf.image.resize(image, (size, size), antialias=True)
        return (image, example["label"]) if with_label else image

    return dataset.map(to_sample, num_parallel_calls=tf.data.AUTOTUNE)


def tfds_classes(name: str) -> int:
    """Number of classes of a TensorFlow Datasets set that has labels."""
    import tensorflow_datasets as tfds

    return tfds.builder(name).info.features["label"].num_classes
