import keras
import pytest
import tensorflow as tf

import kmatgen as kg
from kmatgen.models.requirements import explained, require


@tf.function
def halved(x):
    x = require(x % 2 == 0, "A number is even. Received:", x, "and", x + 1, of=x)
    return x // 2


def test_what_is_required_goes_on():
    assert int(halved(tf.constant(6))) == 3


@pytest.mark.parametrize("eagerly", [False, True])
def test_a_failed_requirement_is_one_sentence(eagerly):
    step = halved.python_function if eagerly else halved
    with pytest.raises(kg.InputError, match=r"^A number is even\. Received: 7 and 8\.$"), explained():
        step(tf.constant(7))


def test_other_errors_stay():
    with pytest.raises(tf.errors.InvalidArgumentError), explained():
        tf.reshape(tf.zeros(3), (2,))


def test_a_class_that_a_network_does_not_know():
    embed = tf.function(keras.layers.Embedding(3, 2))
    with pytest.raises(kg.InputError, match=r"^The classes of this condition are 0 to 2\. Received: 3\.$"), explained():
        embed(tf.constant([0, 3]))
