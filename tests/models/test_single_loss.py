import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from kmatgen.errors import InputError
from kmatgen.models.single_loss import SingleLossModel


class Mean(SingleLossModel):
    """Learns the mean of its data with one number; what is drawn is logged."""

    NETWORKS = ("network",)

    def __init__(self, network, **kwargs):
        super().__init__({"network": network}, seed=0, name="mean", **kwargs)
        self.add_trackers(["loss", "drawn"])

    def compile(self):
        optimizer = self.prepare_optimizer(keras.optimizers.SGD(0.25), self.trained_variables)
        super().compile(optimizer, {"optimizer": optimizer})

    @property
    def trained_variables(self):
        return self.network.trainable_variables

    def checked_data(self, data):
        return data, None

    def losses_of(self, sample, told, seed, training):
        loss = tf.reduce_mean(tf.square(self.network(tf.ones((1, 1))) - sample))
        return loss, {"loss": loss, "drawn": tf.random.stateless_uniform((), seed)}


@pytest.fixture
def model():
    number = keras.Input((1,))
    made = Mean(keras.Model(number, keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")(number)))
    made.compile()
    return made


def test_one_step_of_gradient_descent(model):
    data = np.array([[1.0], [3.0]], np.float32)
    logs = model.fit(data, batch_size=2, verbose=0).history
    # The gradient of mean((w - x)^2) at 0 is -2 * 2.
    assert_allclose(model.network.get_weights()[0], [[1.0]], rtol=1e-6)
    assert_allclose(logs["loss"], [5.0], rtol=1e-6)


def test_steps_draw_anew_and_evaluations_repeat(model):
    data = np.ones((2, 1), np.float32)
    first, second = (model.fit(data, batch_size=2, verbose=0).history["drawn"][0] for _ in range(2))
    assert first != second
    once, again = (model.evaluate(data, batch_size=2, verbose=0, return_dict=True) for _ in range(2))
    assert once == again


def test_what_a_model_defines_is_named():
    bare = object.__new__(SingleLossModel)
    with pytest.raises(NotImplementedError, match="SingleLossModel defines checked_data"):
        bare.checked_data(None)
    with pytest.raises(NotImplementedError, match="SingleLossModel defines losses_of"):
        bare.losses_of(None, None, None, False)


def test_a_loss_is_a_scalar_and_logs_are_announced(model, monkeypatch):
    losses_of, data = model.losses_of, np.ones((2, 1), np.float32)

    def of_each(*arguments):
        loss, logs = losses_of(*arguments)
        return tf.fill([2], loss), logs

    def with_more(*arguments):
        loss, logs = losses_of(*arguments)
        return loss, {**logs, "more": loss}

    monkeypatch.setattr(model, "losses_of", of_each)
    with pytest.raises(InputError, match=r"What Mean minimises is a scalar.*Received: shape \(2,\)"):
        model.fit(data, verbose=0)
    monkeypatch.setattr(model, "losses_of", with_more)
    with pytest.raises(InputError, match="add_trackers in its __init__. Received: the log 'more'"):
        model.fit(data, verbose=0)
