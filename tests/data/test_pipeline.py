import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg
from kmatgen.data import batches, from_tfds


def epochs_of(dataset, count):
    return [np.concatenate(list(dataset.as_numpy_iterator())) for _ in range(count)]


@pytest.mark.parametrize("global_seed", [None, 0, 7])
def test_the_order_depends_on_seed_and_epoch_alone(global_seed):
    if global_seed is not None:
        tf.random.set_seed(global_seed)
    first, second, third = epochs_of(batches(np.arange(64), 8, seed=5), 3)
    assert_array_equal(np.sort(first), np.arange(64))
    assert (first != second).mean() > 0.8
    (resumed,) = epochs_of(batches(np.arange(64), 8, seed=5, first_epoch=2), 1)
    assert_array_equal(resumed, third)
    # The same whatever the process' own seed was; worked out once, with this TensorFlow.
    assert_array_equal(first[:3], epochs_of(batches(np.arange(64), 8, seed=5), 1)[0][:3])
    assert (epochs_of(batches(np.arange(64), 8, seed=6), 1)[0] != first).mean() > 0.8


def test_the_global_seed_changes_nothing():
    tf.random.set_seed(0)
    (with_zero,) = epochs_of(batches(np.arange(64), 8, seed=5), 1)
    tf.random.set_seed(123)
    (with_other,) = epochs_of(batches(np.arange(64), 8, seed=5), 1)
    assert_array_equal(with_zero, with_other)


def test_cardinality_and_remainder():
    assert int(batches(np.arange(10), 4).cardinality()) == 2
    assert int(batches(np.arange(10), 4, drop_remainder=False).cardinality()) == 3
    shapes = [len(batch) for batch in batches(np.arange(10), 4, seed=None, drop_remainder=False)]
    assert shapes == [4, 4, 2]


def test_no_seed_keeps_the_order():
    assert_array_equal(epochs_of(batches(np.arange(8), 4, seed=None), 1)[0], np.arange(8))


def test_d_steps_gives_each_discriminator_step_fresh_data():
    (batch,) = batches(np.arange(12), 4, d_steps=3).as_numpy_iterator()
    assert_array_equal(np.sort(batch), np.arange(12))


def test_no_thread_tunes_what_epochs_would_wait_for():
    for seed in (None, 0):
        assert batches(np.arange(6), 2, seed=seed).options().autotune.enabled is False


def test_dicts_of_arrays():
    data = {"lattice": np.arange(6), "species": np.arange(6) * 10}
    for batch in batches(data, 3, seed=1).as_numpy_iterator():
        assert_array_equal(batch["species"], batch["lattice"] * 10)


@pytest.mark.parametrize("in_file", [False, True])
def test_cache_reads_once(tmp_path, in_file):
    reads = []

    def read(x):
        reads.append(int(x))
        return x

    source = tf.data.Dataset.range(6).map(lambda x: tf.numpy_function(read, [x], tf.int64))
    source = source.map(lambda x: tf.ensure_shape(x, ()))
    cached = batches(source, 3, seed=0, cache=tmp_path / "cache" if in_file else True)
    first, second = epochs_of(cached, 2)
    assert len(reads) == 6
    assert_array_equal(np.sort(first), np.sort(second))


def test_too_few_samples():
    with pytest.raises(kg.InputError, match="A batch needs 12 samples.*Received: 10 samples"):
        batches(np.arange(10), 4, d_steps=3)
    with pytest.raises(kg.InputError, match="batch_size is a whole number of at least 1. Received: 0"):
        batches(np.arange(10), 0)


def test_fit_takes_it():
    from tests.tiny_models import MODELS, compiled, images

    history = compiled(MODELS["vae"]).fit(batches(images(), 8), epochs=2, verbose=0).history
    assert len(history["loss"]) == 2


def test_from_tfds_of_any_image_set():
    with tfds.testing.mock_data(num_examples=5):
        images = from_tfds("mnist", "train", size=16)
        batch = np.stack(list(images.as_numpy_iterator()))
    assert batch.shape == (5, 16, 16, 1)
    assert batch.dtype == np.float32
    assert 0 <= batch.min() < batch.max() <= 1


def test_from_tfds_keeps_the_size_and_scales():
    with tfds.testing.mock_data(num_examples=2):
        plain = next(iter(tfds.load("cifar10", split="test")))["image"]
        image = next(iter(from_tfds("cifar10", "test")))
    assert_allclose(image, plain.numpy() / 255, rtol=1e-6)


def test_from_tfds_names_what_is_wrong():
    with pytest.raises(kg.InputError, match="Received: no_such_set, train"):
        from_tfds("no_such_set", "train")
    with tfds.testing.mock_data(num_examples=2), pytest.raises(kg.InputError, match="image feature"):
        from_tfds("iris", "train")


def test_alike_samples_come_together():
    """Sizes 1 to 4 in batches of 8: nearly all batches hold one size, every sample comes once, the order is random."""
    sizes = np.repeat(np.arange(1, 5), 64)
    made = batches({"size": sizes, "number": np.arange(256)}, 8, seed=0, alike=lambda batch: batch["size"])
    epochs = [list(made.as_numpy_iterator()) for _ in range(2)]
    assert len(made) == 32
    for epoch in epochs:
        assert sorted(np.concatenate([batch["number"] for batch in epoch])) == list(range(256))
        kinds = [set(batch["size"].tolist()) for batch in epoch]
        assert np.mean([len(kind) for kind in kinds]) < 1.5
        assert [min(kind) for kind in kinds] != sorted(min(kind) for kind in kinds)
    assert not np.array_equal(epochs[0][0]["number"], epochs[1][0]["number"])


def test_alike_pairs():
    data = (np.arange(32), {"mask": np.eye(32)})
    made = batches(data, 8, seed=0, alike=lambda sample, condition: tf.reduce_sum(condition["mask"], axis=1))
    assert sorted(np.concatenate([sample for sample, _ in made.as_numpy_iterator()])) == list(range(32))
