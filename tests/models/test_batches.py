import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_array_equal

import kmatgen as kg
from kmatgen.models.batches import checked_conditions, checked_samples
from kmatgen.models.requirements import explained
from tests.tiny_models import FOUR, gan_networks

IMAGES = keras.Input((4, 4, 1))
FIELDS = {"lattice": keras.Input((6,)), "coords": keras.Input((None, 3))}


def in_a_step(samples):
    """What a step traced for any shape, as Keras' own once it has met two, makes of samples, and knows of them."""
    known = []

    def step(samples):
        checked = checked_samples(samples, IMAGES)
        known.append(checked.shape.as_list())
        return checked

    return tf.function(step, input_signature=[tf.TensorSpec(None, tf.float32)])(samples), known[0]


@pytest.mark.parametrize("shape", [(2, 5, 4, 1), (2, 4, 4, 3), (2, 4, 4)])
def test_other_shapes_are_one_sentence_while_a_step_is_traced_and_while_it_runs(shape):
    received = ", ".join(map(str, shape[1:]))
    sentence = rf"^Samples of shape \(4, 4, 1\) are wanted, batch axis aside\. Received: \({received}\)\.$"
    with pytest.raises(kg.InputError, match=sentence):
        checked_samples(tf.zeros(shape), IMAGES)
    with pytest.raises(kg.InputError, match=sentence), explained():
        in_a_step(tf.zeros(shape))


def test_several_arrays_are_not_one():
    with pytest.raises(kg.InputError, match="Samples come as one array.*numpy.stack.*Received: 2 arrays"):
        checked_samples((np.zeros((1, 4), np.float32),) * 2, keras.Input((4,)))


def test_a_step_knows_the_shape_afterwards(rng):
    samples = rng.random((3, 4, 4, 1), np.float32)
    checked, shape = in_a_step(samples)
    assert_array_equal(checked, samples)
    assert shape == [None, 4, 4, 1]


def test_fields_sizes_left_open_and_types(rng):
    samples = {"lattice": rng.random((2, 6)), "coords": rng.random((2, 5, 3))}
    checked = checked_samples({name: tf.constant(values) for name, values in samples.items()}, FIELDS)
    assert {values.dtype for values in checked.values()} == {tf.float32}
    with pytest.raises(kg.InputError, match=r"Received: \{'lattice': \(6,\)\}"):
        checked_samples({"lattice": tf.zeros((2, 6))}, FIELDS)
    with pytest.raises(kg.InputError, match=r"such as images from 0 to 1\. Received: uint8"):
        checked_samples(tf.zeros((2, 4, 4, 1), tf.uint8), IMAGES)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_are_finite(bad):
    samples = np.zeros((2, 4, 4, 1), np.float32)
    samples[1, 2, 3] = bad
    with pytest.raises(kg.InputError, match="Samples are finite numbers"), explained():
        in_a_step(samples)


def test_conditions_and_what_else_is_told():
    inputs = {
        "sample": keras.Input((2,), name="sample"),
        "condition": {"band_gap": keras.Input((1,), name="band_gap")},
    }
    network = keras.Model(inputs, inputs["condition"]["band_gap"] + inputs["sample"])
    told = {"band_gap": tf.zeros((3, 1)), "mask": tf.zeros((3, 7))}
    assert set(checked_conditions(told, network)) == {"band_gap", "mask"}
    assert checked_conditions(None, network) is None
    with pytest.raises(kg.InputError, match=r"Conditions of shape \{'band_gap': \(1,\)\}.*Received: .*\(2,\)"):
        checked_conditions({"band_gap": tf.zeros((3, 2))}, network)


@pytest.mark.parametrize("wrong", [0.5, np.nan])
def test_classes_are_whole_numbers(wrong):
    """An embedding would cut them off."""
    network = gan_networks({"condition": FOUR})["generator"]
    given = tf.constant([0.0, 3.0])
    assert_array_equal(checked_conditions(given, network), given)
    assert_array_equal(checked_conditions(tf.constant([False, True]), network), [0, 1])
    with pytest.raises(kg.InputError, match="Classes are whole numbers. Received: numbers between"):
        checked_conditions(tf.constant([0.0, wrong]), network)


@pytest.mark.parametrize("wrong", [np.inf, np.nan])
def test_conditions_are_finite(wrong):
    network = gan_networks({"condition": {"size": 1}})["generator"]
    with pytest.raises(kg.InputError, match="Conditions are finite numbers"):
        checked_conditions(tf.constant([[0.0], [wrong]]), network)


def test_a_model_that_was_trained_already_says_so_too(rng):
    image, latent, shape = keras.Input((4, 4, 1)), keras.Input((2,)), (4, 4, 1)
    point = keras.layers.Dense(2)(keras.layers.Flatten()(image))
    encoder = keras.Model(image, {"mean": point, "log_var": point})
    decoder = keras.Model(latent, keras.layers.Reshape(shape)(keras.layers.Dense(16)(latent)))
    vae = kg.VAE(encoder, decoder, seed=0)
    vae.compile(reconstruction="binary_crossentropy")
    vae.fit(rng.random((8, *shape), np.float32), batch_size=4, verbose=0)
    other = rng.random((8, 8, 8, 1), np.float32)
    with pytest.raises(kg.InputError, match=r"Samples of shape \(4, 4, 1\).*Received: \(8, 8, 1\)"):
        vae.fit(other, batch_size=4, verbose=0)
    with pytest.raises(kg.InputError, match=r"Samples of shape \(4, 4, 1\).*Received: \(8, 8, 1\)"):
        vae.evaluate(other, batch_size=4, verbose=0)
    with pytest.raises(kg.InputError, match=r"binary_crossentropy needs data from 0 to 1.*Received: 2 to 2\."):
        vae.fit(np.full((8, *shape), 2, np.float32), batch_size=4, verbose=0)
    with pytest.raises(kg.InputError, match=r"have one shape\. Received: \(8, 8, 1\) and \(4, 4, 1\)"):
        vae.interpolate(other[0], np.zeros(shape))
    vae.fit(rng.random((8, *shape), np.float32), batch_size=4, verbose=0)
