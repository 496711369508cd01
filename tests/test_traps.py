"""One regression test for each fault in Keras 3 and TensorFlow that the foundation works around.

The number in a test's name is the number of the trap in the list the project keeps of them.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

import kmatgen as kg
from tests.tiny_models import MODELS, batched, compiled, conv_networks, images, quiet_networks, two_replicas

VAE = MODELS["vae"]


def test_01_a_model_is_built_and_logs_no_phantom_loss(tmp_path):
    model = compiled(VAE)
    assert model.built
    history = model.fit(batched(), epochs=1, verbose=0).history
    assert min(history["loss"]) > 0
    model.save_weights(tmp_path / "model.weights.h5")
    assert (tmp_path / "model.weights.h5").stat().st_size > 0


def test_02_compile_arguments_are_in_the_file(tmp_path):
    compiled(VAE).save(tmp_path / "model.keras")
    loaded = kg.load_model(tmp_path / "model.keras")
    assert loaded.compiled
    assert loaded.kl_reduction == "sum"
    assert loaded.kl_weight.get_config() == {"target": 0.1, "steps": 6}


def test_03_optimisers_are_built_by_compile_and_restored(tmp_path):
    model = compiled(VAE)
    assert model.optimizer.built
    model.fit(batched(), epochs=1, verbose=0)
    model.save_weights(tmp_path / "model.weights.h5")
    other = compiled(VAE)
    other.load_weights(tmp_path / "model.weights.h5")
    assert int(other.optimizer.iterations) == 4


def test_04_random_state_is_saved_with_that_of_layers(tmp_path):
    networks = conv_networks(True)
    noisy = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.5), networks["decoder"]])
    decoder = keras.Model(noisy.inputs[0], noisy.outputs[0])
    model = kg.VAE(networks["encoder"], decoder, seed=0)
    model.compile("adam")
    model.fit(batched(), epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = kg.load_model(tmp_path / "model.keras")

    def states(of):
        return [np.asarray(v).tolist() for v in of.variables if "seed_generator_state" in v.path]

    assert len(states(model)) == 2
    assert states(loaded) == states(model)


def test_05_noise_differs_from_step_to_step():
    model = compiled(VAE)
    assert model.next_seed().numpy().tolist() != model.next_seed().numpy().tolist()


def test_06_batch_statistics_move():
    model = compiled(VAE)
    before = [np.array(weight) for weight in model.decoder.non_trainable_weights]
    model.fit(batched(), epochs=1, verbose=0)
    assert all(
        np.abs(new - old).max() > 0 for new, old in zip(model.decoder.non_trainable_weights, before, strict=True)
    )


def test_07_small_float16_gradients_survive():
    """A loss of 1e-5 of its size: without scaling nearly all gradients vanish in float16."""
    keras.config.set_dtype_policy("mixed_float16")
    model = kg.Autoencoder(**quiet_networks(False), seed=0)
    model.compile(keras.optimizers.SGD(1e5))
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    before = np.array(model.encoder.trainable_weights[0])
    data = tf.constant(images(8))

    def tiny_loss():
        loss, logs = model.losses_of(data, None, tf.constant([0, 0]), True)
        return 1e-5 * loss, logs

    model.minimise(model.optimizer, model.trainable_variables, tiny_loss)
    changed = np.array(model.encoder.trainable_weights[0]) != before
    assert changed.mean() > 0.9


def test_08_outputs_are_float32_in_half_precision():
    keras.config.set_dtype_policy("mixed_float16")
    model = compiled(VAE)
    assert model.decode_latent(tf.zeros((1, 3))).dtype == tf.float32
    assert model.encode_latent(tf.zeros((1, 16, 16, 1))).dtype == tf.float32


def test_14_losses_that_layers_add_are_minimised():
    """Although a step calls networks several times, and each call clears what the one before added."""

    def loss(**regularizer):
        keras.utils.set_random_seed(0)
        networks = conv_networks(True)
        last = keras.layers.Conv2D(1, 1, name="last", kernel_initializer="ones", **regularizer)
        networks["decoder"] = keras.Model(networks["decoder"].input, last(networks["decoder"].output))
        model = kg.VAE(**networks, seed=0)
        model.compile("adam")
        return model.evaluate(images(8), batch_size=8, return_dict=True, verbose=0)["loss"]

    assert_allclose(loss(kernel_regularizer=keras.regularizers.L2(0.5)) - loss(), 0.5, rtol=1e-4)


def test_15_a_second_compile_doubles_no_metric():
    model = compiled(VAE)
    model.compile("adam")
    assert [metric.name for metric in model.metrics] == ["loss", "reconstruction_loss", "kl_loss", "kl_weight"]


def test_16_averaging_optimisers_are_refused():
    with pytest.raises(kg.InputError, match="use_ema=True"):
        VAE.make().compile(keras.optimizers.Adam(use_ema=True, ema_momentum=0.9))


def test_17_the_stock_optimiser_slot_is_filled():
    model = compiled(VAE)
    assert model.optimizer is not None
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch: 0.25)
    model.fit(batched(8), epochs=1, callbacks=[schedule], verbose=0)
    assert float(model.optimizer.learning_rate) == 0.25


def test_18_and_19_replicas_train_and_do_not_double_the_step():
    alone = kg.Autoencoder(**quiet_networks(False), seed=0)
    alone.compile("sgd")
    strategy = two_replicas()
    with strategy.scope():
        together = kg.Autoencoder(**quiet_networks(False), seed=0)
        together.compile("sgd")
    together.set_weights(alone.get_weights())
    start = np.array(alone.encoder.trainable_weights[0])
    for model in (alone, together):
        model.fit(batched(8), epochs=1, verbose=0)
    moved = np.array(alone.encoder.trainable_weights[0]) - start
    moved_together = np.array(together.encoder.trainable_weights[0]) - start
    assert_allclose(np.linalg.norm(moved_together), np.linalg.norm(moved), rtol=1e-4)


def test_23_steps_are_counted_by_the_optimiser():
    model = compiled(VAE, steps_per_execution=4)
    model.fit(batched(), epochs=1, verbose=0)
    assert int(model.optimizer.iterations) == 4


def test_24_xla_is_explicit():
    model = compiled(VAE)
    assert model.jit_compile is False
    assert compiled(VAE, jit_compile=True).jit_compile is True


def test_25_sampling_is_traced_once():
    model = compiled(VAE)
    for n in (1, 5, 64, 65):
        model.generate(n, seed=0)
    assert model.decoding.experimental_get_tracing_count() == 1


def test_26_an_opened_export_keeps_its_variables(tmp_path):
    from kmatgen.export import ServedModel

    compiled(VAE).export(tmp_path / "export")
    assert ServedModel(tmp_path / "export").generate(3).shape == (3, 16, 16, 1)


def test_28_the_build_system_is_declared():
    import tomllib
    from pathlib import Path

    settings = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    assert settings["build-system"]["build-backend"] == "setuptools.build_meta"
