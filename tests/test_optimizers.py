import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg
from kmatgen import optimizers
from tests.tiny_models import two_replicas

SETTINGS = {
    "plain": ("Adam", {}),
    "of_gans": ("Adam", {"learning_rate": 2e-4, "beta_1": 0.0, "beta_2": 0.9, "epsilon": 1e-8}),
    "amsgrad": ("Adam", {"amsgrad": True}),
    "clipped": ("Adam", {"clipnorm": 0.1}),
    "accumulated": ("Adam", {"gradient_accumulation_steps": 2}),
    "decay": ("AdamW", {"weight_decay": 0.1}),
    "schedule": ("AdamW", {"learning_rate": keras.optimizers.schedules.CosineDecay(1e-2, 4)}),
}


def some_variables():
    rng = np.random.default_rng(0)
    return [keras.Variable(rng.standard_normal(shape).astype("float32")) for shape in ((4, 3), (3,), ())]


def trained(optimizer, steps=6):
    """Variables after some steps with gradients of very different sizes."""
    variables, rng = some_variables(), np.random.default_rng(1)
    optimizer.build(variables)
    apply = tf.function(lambda gradients: optimizer.apply(gradients, variables))
    for step in range(steps):
        gradients = [tf.constant(10.0 ** (step - 3) * rng.standard_normal(v.shape), tf.float32) for v in variables]
        apply(gradients)
    return [v.numpy() for v in (*variables, *optimizer.variables)]


class TestUpdate:
    @pytest.mark.parametrize("name", SETTINGS)
    def test_is_that_of_keras(self, name):
        class_name, settings = SETTINGS[name]
        own = trained(getattr(optimizers, class_name)(**settings))
        keras_own = trained(getattr(keras.optimizers, class_name)(**settings))
        for value, expected in zip(own, keras_own, strict=True):
            # 1 - 0.999 is 1.3e-5 off in float32, in which TensorFlow's operation takes it.
            assert_allclose(value, expected, rtol=2e-5, atol=1e-8)

    def test_is_one_operation(self):
        """And not the operations of Keras."""
        variable = keras.Variable(np.ones(3, "float32"))
        optimizer = optimizers.Adam()
        optimizer.build([variable])
        apply = tf.function(lambda gradients: optimizer.apply(gradients, [variable]))
        graph = apply.get_concrete_function([tf.ones(3)]).graph
        assert [op.type for op in graph.get_operations()].count("ResourceApplyAdam") == 1

    def test_of_rows_that_were_looked_up(self):
        """As with the gradient of the whole table; Keras takes squares of rows before it adds them up."""

        def rows_after(optimizer, as_a_whole):
            table = keras.Variable(np.ones((4, 2), "float32"))
            optimizer.build([table])
            for rows in ([0, 1], [1, 1]):
                with tf.GradientTape() as tape:
                    loss = tf.reduce_sum(tf.gather(table.value, rows) ** 2)
                gradient = tape.gradient(loss, table.value)
                optimizer.apply([tf.convert_to_tensor(gradient) if as_a_whole else gradient], [table])
            return table.numpy()

        expected = rows_after(keras.optimizers.Adam(0.1), as_a_whole=True)
        assert_allclose(rows_after(optimizers.Adam(0.1), as_a_whole=False), expected, rtol=1e-5)

    def test_on_two_replicas(self):
        """Each replica's gradient counts, and both copies of a variable are the same."""
        strategy = two_replicas()
        with strategy.scope():
            variable, optimizer = keras.Variable(np.ones(3, "float32")), optimizers.Adam(0.1)
            optimizer.build([variable])

        def step():
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            optimizer.apply([tf.ones(3) * tf.cast(replica + 1, tf.float32)], [variable])

        for _ in range(2):
            strategy.run(tf.function(step))
        copies = strategy.experimental_local_results(variable.value)
        alone, one = keras.Variable(np.ones(3, "float32")), keras.optimizers.Adam(0.1)
        for _ in range(2):
            one.apply([3 * tf.ones(3)], [alone])
        assert len(copies) == 2
        for copy in copies:
            assert_allclose(copy.numpy(), alone.numpy(), rtol=1e-5)


class TestState:
    def test_of_keras_is_taken_over(self):
        """Files that were written with Keras' optimiser are gone on with."""
        own, other, store = optimizers.AdamW(), keras.optimizers.AdamW(), {}
        trained(other)
        other.save_own_variables(store)
        own.build(some_variables())
        own.load_own_variables(store)
        for value, expected in zip(own.variables, other.variables, strict=True):
            assert_array_equal(value.numpy(), expected.numpy())


class TestGet:
    @pytest.mark.parametrize("identifier", ["adam", "Adam", {"class_name": "Adam", "config": {"learning_rate": 0.5}}])
    def test_adam_is_ours(self, identifier):
        assert type(optimizers.get(identifier)) is optimizers.Adam

    def test_keeps_the_settings(self):
        optimizer = optimizers.get({"class_name": "AdamW", "config": {"learning_rate": 0.5, "weight_decay": 0.25}})
        assert type(optimizer) is optimizers.AdamW
        assert_array_equal([float(optimizer.learning_rate), optimizer.weight_decay], [0.5, 0.25])

    def test_objects_and_others_stay(self):
        adam = keras.optimizers.Adam()
        assert optimizers.get(adam) is adam
        assert type(optimizers.get("sgd")) is keras.optimizers.SGD

    def test_comes_back_from_a_file(self, tmp_path):
        shape = (16, 16, 1)
        vae = kg.VAE(kg.networks.conv_encoder(shape, 2, (4, 4)), kg.networks.conv_decoder(shape, 2, (4, 4)), seed=0)
        vae.compile("adam")
        vae.save(tmp_path / "vae.keras")
        assert type(kg.load_model(tmp_path / "vae.keras").optimizer) is optimizers.Adam
