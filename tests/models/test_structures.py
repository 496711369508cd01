import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_array_equal

import kmatgen as kg
from kmatgen.models.structures import check_batch_size, check_count, check_seed, floats_of, known_classes
from tests.tiny_models import SHAPE, gan_networks, images


def generator(looked_up):
    """Of noise and a condition, with a vector made of both."""
    noise, condition = keras.Input((3,), name="noise"), keras.Input((), name="condition", dtype="int32")
    x = keras.layers.Concatenate()([noise, keras.layers.Flatten()(looked_up(noise, condition))])
    made = keras.layers.Reshape(SHAPE)(keras.layers.Dense(256, activation="sigmoid")(x))
    return keras.Model({"noise": noise, "condition": condition}, made)


class TestKnownClasses:
    def test_of_an_embedding_in_a_nested_network(self):
        nested = keras.Sequential([keras.Input((), dtype="int32"), keras.layers.Embedding(4, 2)])
        model = kg.GAN(generator(lambda noise, condition: nested(condition)), gan_networks()["discriminator"])
        assert model.condition_classes == 4
        with pytest.raises(kg.InputError, match="knows the classes 0 to 3. Received: 7 to 7"):
            model.generate(2, 7)

    def test_an_embedding_of_something_else_is_none(self):
        positions = keras.layers.Embedding(10, 2)

        def of_noise(noise, condition):
            return positions(keras.ops.cast(noise > 0, "int32"))

        assert known_classes(generator(of_noise)) is None

    def test_a_property_vector_beside_an_embedding(self):
        noise, condition = keras.Input((3,), name="noise"), keras.Input((2,), name="condition")
        place = keras.layers.Embedding(10, 2)(keras.ops.cast(noise > 0, "int32"))
        x = keras.layers.Concatenate()([noise, condition, keras.layers.Flatten()(place)])
        made = keras.layers.Reshape(SHAPE)(keras.layers.Dense(256)(x))
        model = kg.GAN(keras.Model({"noise": noise, "condition": condition}, made), gan_networks()["discriminator"])
        model.compile()
        model.fit(images(4), np.full((4, 2), -3.5), verbose=0)
        assert model.generate(2, [-3.5, 12.0]).shape == (2, *SHAPE)


@pytest.mark.parametrize("values", [np.full((2, 2), 255, np.uint8), np.ones(3, bool), ["a"], [None]])
def test_what_is_no_array_of_floats(values):
    with pytest.raises(kg.InputError, match="arrays of images in floats on the scale of its training"):
        floats_of("images", values)


@pytest.mark.parametrize("values", [[[0.5]], np.float64([[0.5]]), tf.constant([[0.5]], tf.bfloat16)])
def test_what_is_one(values):
    array = floats_of("images", values)
    assert array.dtype == np.float32
    assert_array_equal(array, [[0.5]])


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (check_count, (1, np.int64(3)), (0, -1, True, 2.0, "3", None)),
        (check_seed, (0, -1, np.int64(7), 2**31 - 1), (2**31, 1.5, True, "a")),
        (check_batch_size, (1, np.int32(64)), (0, -1, True, 2.0, None)),
    ],
)
def test_whole_numbers(check, good, bad):
    assert [check(value) for value in good] == list(good)
    for value in bad:
        with pytest.raises(kg.InputError, match="whole number"):
            check(value)


def test_a_seed_is_drawn():
    assert len({check_seed(None) for _ in range(5)}) > 1
