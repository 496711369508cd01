import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg
from kmatgen.callbacks import GeneratorEMA
from kmatgen.models.averages import WeightAverage
from tests.checks import AtEpoch, assert_same_state
from tests.tiny_models import MODELS, compiled, conv_networks, two_replicas

GAN = MODELS["dcgan"]


def eager():
    """Tracing takes longer than all the steps of these tests."""
    return compiled(GAN, run_eagerly=True)


def averages_of(model, role="generator"):
    return [average.numpy() for average in model.averages[role]._averages]


def assert_same_averages(one, other):
    assert one.averages["generator"].updates == other.averages["generator"].updates > 0
    for left, right in zip(averages_of(one), averages_of(other), strict=True):
        assert_array_equal(left, right)


class Watch(keras.callbacks.Callback):
    """The generator's weights and statistics after every batch."""

    def on_train_begin(self, logs=None):
        self.seen = [[np.array(weight) for weight in self.model.generator.weights]]

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append([np.array(weight) for weight in self.model.generator.weights])


def fit(model, epochs=2, initial_epoch=0, callbacks=(), n=16, **ema):
    """Two steps an epoch."""
    data = GAN.batched(n)
    model.fit(data, epochs=epochs, initial_epoch=initial_epoch, callbacks=[GeneratorEMA(**ema), *callbacks], verbose=0)
    return model


class TestAverage:
    def test_by_hand(self):
        network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        network.set_weights([np.array([[0.0]])])
        average = WeightAverage(network)
        expected = 0.0
        # (1 + t) / (10 + t) is 0.1, 2/11, 0.25, ... and passes 0.25 at t = 2.
        for value, kept in [(1.0, 0.1), (2.0, 2 / 11), (3.0, 0.25), (4.0, 0.25)]:
            network.set_weights([np.array([[value]])])
            average.update(0.25)
            expected = kept * expected + (1 - kept) * value
            assert_allclose(average._averages[0].numpy(), [[expected]], rtol=1e-6)
        # Three steps at once weigh as much as three.
        network.set_weights([np.array([[8.0]])])
        average.update(0.25, steps=3)
        assert_allclose(average._averages[0].numpy(), [[0.25**3 * expected + (1 - 0.25**3) * 8]], rtol=1e-6)
        assert average.updates == 7

    def test_swapping_returns_every_bit(self):
        model = fit(eager(), decay=0.9)
        raw, averages = model.generator.get_weights(), averages_of(model)
        swapped = []

        def fail_inside():
            with model.averaged_weights(), model.averaged_weights():
                swapped.extend(model.generator.get_weights())
                raise KeyError

        with pytest.raises(KeyError):
            fail_inside()
        for weight, average in zip(swapped, averages, strict=True):
            assert_array_equal(weight, average)
        for weight, before in zip(model.generator.get_weights(), raw, strict=True):
            assert_array_equal(weight, before)

    def test_a_second_average_that_fails_leaves_no_network_swapped(self):
        model = fit(eager(), decay=0.9)
        raw = model.generator.get_weights()
        model.averages["discriminator"] = WeightAverage(model.discriminator)
        model.averages["discriminator"]._averages[0] = tf.zeros((1, 2, 3))
        # What was raised is kept, and with it whatever its frames hold.
        with pytest.raises((ValueError, tf.errors.InvalidArgumentError)) as caught, model.averaged_weights():
            pass
        assert "(1, 2, 3)" in str(caught.value) or "[1,2,3]" in str(caught.value)
        for weight, before in zip(model.generator.get_weights(), raw, strict=True):
            assert_array_equal(weight, before)

    def test_random_states_and_counters_are_left_out(self):
        inputs = keras.Input((2,))
        network = keras.Model(inputs, keras.layers.Dropout(0.5)(keras.layers.BatchNormalization()(inputs)))
        assert len(WeightAverage(network)._averages) == 4
        assert len(network.variables) == 5


class TestCallback:
    def test_it_averages_weights_and_statistics_of_every_step(self):
        watch = Watch()
        model = fit(eager(), decay=0.5, callbacks=[watch])
        assert len(watch.seen) == 5
        expected = watch.seen[0]
        for t, weights in enumerate(watch.seen[1:]):
            kept = min(0.5, (1 + t) / (10 + t))
            expected = [kept * old + (1 - kept) * new for old, new in zip(expected, weights, strict=True)]
        for average, by_hand in zip(averages_of(model), expected, strict=True):
            assert_allclose(average, by_hand, rtol=1e-5, atol=1e-7)

    @pytest.mark.slow
    def test_several_steps_per_execution(self):
        one, four = eager(), compiled(GAN, steps_per_execution=4)
        four.set_weights(one.get_weights())
        fit(one, epochs=2, n=32, decay=0.9)
        fit(four, epochs=2, n=32, decay=0.9)
        assert one.averages["generator"].updates == four.averages["generator"].updates == 8
        for left, right in zip(averages_of(one), averages_of(four), strict=True):
            assert_allclose(left, right, atol=0.05)

    def test_several_steps_per_execution_by_hand(self):
        watch = Watch()
        model = fit(compiled(GAN, steps_per_execution=4), n=32, decay=0.3, callbacks=[watch])
        start, first, second = watch.seen
        shares = [min(0.3, (1 + t) / (10 + t)) for t in range(8)]
        for average, *values in zip(averages_of(model), start, first, second, strict=True):
            after_first = values[1] + np.prod(shares[:4]) * (values[0] - values[1])
            assert_allclose(average, values[2] + np.prod(shares[4:]) * (after_first - values[2]), rtol=1e-5, atol=1e-7)

    def test_samples_and_pictures_are_made_with_the_average(self):
        model = fit(eager(), decay=0.9)
        samples = model.generate(4, seed=1)
        with GeneratorEMA.swap(_holding(model)):
            latent = model.draw_latent(4, tf.constant([1, 0]))
            assert_array_equal(model.generator(latent, training=False), samples)
        assert np.abs(model.generator(latent, training=False) - samples).max() > 1e-4
        model.averages.clear()
        assert_array_equal(model.generator(latent, training=False), model.generate(4, seed=1))

    def test_export(self, tmp_path):
        model = fit(eager(), decay=0.9)
        raw = model.generator.get_weights()
        model.export(tmp_path / "export")
        served = kg.export.ServedModel(tmp_path / "export").generate(4, seed=1)
        assert_allclose(served, model.generate(4, seed=1), rtol=1e-5, atol=1e-6)
        for weight, before in zip(model.generator.get_weights(), raw, strict=True):
            assert_array_equal(weight, before)

    def test_a_named_network(self):
        model = kg.VAE(**conv_networks(True), seed=0)
        model.compile(run_eagerly=True)
        model.fit(GAN.batched(8), callbacks=[GeneratorEMA(0.9, network="decoder")], verbose=0)
        assert [*model.averages] == ["decoder"]
        assert model.averages["decoder"].updates == 1
        with pytest.raises(kg.InputError, match=r"encoder, decoder\. Received: network=None"):
            model.fit(GAN.batched(8), callbacks=[GeneratorEMA()], verbose=0)

    @pytest.mark.parametrize("decay", ["abc", 0.0, 1.0, -1, 2])
    def test_bad_decay(self, decay):
        with pytest.raises(kg.InputError, match=f"Received: decay={decay!r}"):
            GeneratorEMA(decay)

    def test_replicas(self):
        with two_replicas().scope():
            model = compiled(GAN)
        watch = Watch()
        model.fit(GAN.batched(16), epochs=1, callbacks=[GeneratorEMA(0.9), watch], verbose=0)
        raw = model.generator.get_weights()
        samples = model.generate(2, seed=0)
        alone = eager()
        alone.generator.set_weights(averages_of(model))
        assert_allclose(alone.generate(2, seed=0), samples, rtol=1e-5, atol=1e-6)
        assert model.averages["generator"].updates == 2
        for weight, before in zip(model.generator.get_weights(), raw, strict=True):
            assert_array_equal(weight, before)


class TestResume:
    def test_through_a_file(self, tmp_path):
        half, samples = tmp_path / "half.keras", []

        def save(model):
            model.save(half)
            samples.append(model.generate(3, seed=0))

        whole = fit(eager(), 4, callbacks=[AtEpoch(2, save)])
        loaded = kg.load_model(half)
        assert_array_equal(loaded.generate(3, seed=0), samples[0])
        fit(loaded, 4, initial_epoch=2)
        assert_same_state(loaded, whole)
        assert_same_averages(loaded, whole)

    @pytest.mark.parametrize("backup_first", [True, pytest.param(False, marks=pytest.mark.slow)])
    def test_through_a_backup(self, tmp_path, backup_first):
        whole = eager()

        def callbacks(folder):
            both = [keras.callbacks.BackupAndRestore(folder), GeneratorEMA()]
            return both if backup_first else both[::-1]

        killed = AtEpoch(2, lambda model: shutil.copytree(tmp_path / "backup", tmp_path / "left"))
        whole.fit(GAN.batched(16), epochs=4, callbacks=[*callbacks(tmp_path / "backup"), killed], verbose=0)
        fresh = eager()
        fresh.fit(GAN.batched(16), epochs=4, callbacks=callbacks(tmp_path / "left"), verbose=0)
        assert_same_state(fresh, whole)
        assert_same_averages(fresh, whole)

    def test_a_file_without_an_average_brings_none(self, tmp_path):
        model = eager()
        model.save_weights(tmp_path / "raw.weights.h5")
        fit(model).load_weights(tmp_path / "raw.weights.h5")
        assert model.averages == {}


def _holding(model):
    callback = GeneratorEMA()
    callback.set_model(model)
    return callback
