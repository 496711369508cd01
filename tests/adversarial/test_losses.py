"""The adversarial losses: numbers worked out by hand for real scores 2, 0 and fake scores -1, 4."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from kmatgen import registry
from kmatgen.adversarial.losses import Energy, LeastSquares
from kmatgen.errors import InputError
from tests.tiny_models import two_replicas

REAL, FAKE = np.array([2.0, 0.0], np.float32), np.array([-1.0, 4.0], np.float32)

# name, arguments, d_loss, g_loss. log(1 + exp(x)) at -4, -3, -2, -1.5, -1, -.5, 0: .018150, .048587, .126928, .201413,
# .313262, .474077, .693147; at +x it is x more.
TABLE = [
    ("minimax", {}, (0.126928 + 0.693147) / 2 + (0.313262 + 4.018150) / 2, -(0.313262 + 4.018150) / 2),
    ("non_saturating", {}, (0.126928 + 0.693147) / 2 + (0.313262 + 4.018150) / 2, (1.313262 + 0.018150) / 2),
    ("least_squares", {}, 0.5 * 1 + 0.5 * 8.5, 0.5 * 6.5),
    ("least_squares", {"a": -1.0, "b": 1.0, "c": 0.0}, 0.5 * 1 + 0.5 * 12.5, 0.5 * 8.5),
    ("hinge", {}, 0.5 + 2.5, -1.5),
    ("wasserstein", {}, 0.5, -1.5),
    (
        "relativistic_average",
        {},
        (0.474077 + 1.701413) / 2 + (0.126928 + 3.048587) / 2,
        (2.126928 + 0.048587) / 2 + (0.974077 + 0.201413) / 2,
    ),
    ("energy", {"margin": 3.0}, 1.0 + 2.0, 1.5),
]
rows = pytest.mark.parametrize(("name", "arguments", "d_loss", "g_loss"), TABLE, ids=[row[0] for row in TABLE])


def test_every_loss_has_a_row():
    assert sorted({row[0] for row in TABLE}) == registry.names("loss")


@rows
@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_numbers(name, arguments, d_loss, g_loss, shape):
    loss = registry.get_class("loss", name)(**arguments)
    real, fake = REAL.reshape(shape), FAKE.reshape(shape)
    assert_allclose(loss.d_loss(real, fake), d_loss, rtol=2e-6)
    assert_allclose(loss.g_loss(real, fake), g_loss, rtol=2e-6)


@rows
def test_patches_are_averaged(name, arguments, d_loss, g_loss):
    """Two samples of two equal patches are two scores."""
    loss = registry.get_class("loss", name)(**arguments)
    real, fake = (np.repeat(scores, 2).reshape(2, 1, 2, 1) for scores in (REAL, FAKE))
    assert_allclose(loss.d_loss(real, fake), d_loss, rtol=2e-6)
    assert_allclose(loss.g_loss(real, fake), g_loss, rtol=2e-6)


def test_energy_margin_is_per_sample():
    """One sample of the patches -1 and 4 has energy 1.5, which falls 1.5 short of 3; by patches it would be 2."""
    assert_allclose(Energy(3.0).d_loss(REAL.reshape(1, 1, 2, 1), FAKE.reshape(1, 1, 2, 1)), 1.0 + 1.5)


@rows
def test_float16_scores(name, arguments, d_loss, g_loss):
    """Scores near float16's largest number give float32 losses, the same as float32 scores, and finite gradients."""
    loss = registry.get_class("loss", name)(**arguments)
    real, fake = tf.constant([[-6e4], [3e4]], tf.float16), tf.constant([[6e4], [2e4]], tf.float16)
    for side in (loss.d_loss, loss.g_loss):
        with tf.GradientTape() as tape:
            tape.watch([real, fake])
            value = side(real, fake)
        assert value.dtype == tf.float32
        assert_allclose(value, side(tf.cast(real, tf.float32), tf.cast(fake, tf.float32)))
        assert np.isfinite(value)
        gradients = tape.gradient(value, [real, fake], unconnected_gradients="zero")
        assert all(np.isfinite(gradient).all() for gradient in gradients)


@rows
def test_config(name, arguments, d_loss, g_loss):
    loss = registry.get_class("loss", name)(**arguments)
    names = set(inspect.signature(type(loss).__init__).parameters) - {"self", "args", "kwargs"}
    assert set(loss.get_config()) == names
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config() == {**registry.get("loss", name).get_config(), **arguments}


@pytest.mark.parametrize("name", registry.names("loss"))
def test_probability(name):
    """A logit is reported as its sigmoid: log 3 is three to one. Other scores are reported as they are."""
    loss = registry.get("loss", name)
    assert loss.reports_probability == (name in {"minimax", "non_saturating", "relativistic_average"})
    expected = 0.75 if loss.reports_probability else np.log(3.0)
    assert_allclose(loss.probability(tf.constant([np.log(3.0)], tf.float32)), [expected], rtol=1e-6)


def test_relativistic_average_is_over_all_replicas():
    loss = registry.get("loss", "relativistic_average")
    strategy = two_replicas()

    def one_replica():
        here = tf.distribute.get_replica_context().replica_id_in_sync_group
        return loss.d_loss(tf.gather(REAL, [here]), tf.gather(FAKE, [here]))

    values = strategy.experimental_local_results(tf.function(lambda: strategy.run(one_replica))())
    assert_allclose(np.mean(values), loss.d_loss(REAL, FAKE), rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Energy(0.0), "above 0. Received: margin=0.0"),
        (lambda: Energy("1"), "Received: margin='1'"),
        (lambda: LeastSquares(1.0, 1.0), "different labels for fake and real. Received: a=1.0, b=1.0"),
        (lambda: LeastSquares(c=float("nan")), "finite number. Received: c=nan"),
    ],
)
def test_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
