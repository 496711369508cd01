import keras
import numpy as np
import pytest
import tensorflow as tf

import kmatgen as kg
from kmatgen.evaluation.generated import draw_samples
from kmatgen.evaluation.inputs import open_real
from tests.evaluation.discs import TEST


def dataset(batch_size=None, drop_remainder=False):
    samples = tf.data.Dataset.from_tensor_slices(TEST)
    return samples if batch_size is None else samples.batch(batch_size, drop_remainder=drop_remainder)


@pytest.mark.parametrize("data", [dataset(), dataset(4), dataset(4, drop_remainder=True)])
def test_a_dataset_of_batches_is_told_from_one_of_samples(data):
    """Full batches have their size in their shape, as those of `kmatgen.data.batches`."""
    real = open_real(data, 16, seed=0, rank=3)
    whole = open_real(TEST, 16, seed=0, rank=3)
    assert real.held_out.shape == whole.held_out.shape
    assert np.array_equal(real.held_out, whole.held_out)


def test_batches_for_training_serve_as_real_samples():
    # TEST has as many samples as whole batches of 4.
    table = kg.evaluate(TEST, kg.data.batches(TEST, batch_size=4, seed=None), ["two_point"])
    assert table.about["sample_shape"] == "16x16x1"
    assert table["two_point"].value < 0.05


def test_generated_samples_in_a_dataset():
    assert np.array_equal(draw_samples(dataset(4), len(TEST), seed=0), TEST)


@pytest.mark.parametrize("samples", [keras.Sequential([keras.Input((2,))]), abs, (row for row in TEST)])
def test_what_makes_no_samples(samples):
    with pytest.raises(kg.InputError, match=f"a model with generate.*Received: {type(samples).__name__}"):
        draw_samples(samples, 4, seed=0)


def test_a_dataset_of_dicts():
    data = tf.data.Dataset.from_tensor_slices({"image": TEST}).batch(4)
    with pytest.raises(kg.InputError, match="has one tensor.*Received: {'image'"):
        kg.evaluate(TEST, data, ["two_point"])
