import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg
from tests.tiny_models import MODELS, SHAPE, compiled, conv_networks, gan_networks, images

DATA = images(16)


def moved(weights, before):
    return max(np.abs(np.array(weight) - old).max() for weight, old in zip(weights, before, strict=True))


@pytest.fixture
def vae():
    return compiled(MODELS["vae"])


class TestOrder:
    """Arrays are shuffled, whatever they come in, as in any Keras model."""

    def first_rows(self, model, *data):
        seen, checked_data = [], model.checked_data

        def spy(batch):
            sample, told = checked_data(batch)
            first = keras.tree.flatten(sample)[0]
            tf.py_function(lambda values: seen.append(float(np.ravel(values[0])[0])), [first], [])
            return sample, told

        model.checked_data = spy
        model.fit(*data, batch_size=4, epochs=2, verbose=0)
        return seen

    def test_of_arrays_in_dicts(self):
        keras.utils.set_random_seed(0)
        sample, told = MODELS["vae_fields"].data(16)
        seen = self.first_rows(compiled(MODELS["vae_fields"]), sample, told)
        assert set(seen) != {float(row[0, 0]) for row in sample["coords"][::4]}

    def test_of_tensors(self, vae):
        keras.utils.set_random_seed(0)
        seen = self.first_rows(vae, tf.constant(DATA))
        assert set(seen) != set(DATA[::4, 0, 0, 0].tolist())

    def test_of_a_dataset_is_its_own(self, vae):
        seen = self.first_rows(vae, tf.data.Dataset.from_tensor_slices(DATA).batch(4))
        assert_allclose(seen, [*DATA[::4, 0, 0, 0]] * 2)


class TestWeightsOfSamples:
    @pytest.mark.parametrize("given", [{"sample_weight": np.zeros(16)}, {"class_weight": {0: 0.0}}])
    @pytest.mark.parametrize("y", [None, np.zeros(16)])
    def test_are_refused_in_fit(self, vae, given, y):
        with pytest.raises(kg.InputError, match="leave sample_weight and class_weight out"):
            vae.fit(DATA, y, verbose=0, **given)

    def test_are_refused_elsewhere(self, vae):
        weights = np.zeros(16)
        for method in (vae.evaluate, vae.train_on_batch, vae.test_on_batch):
            with pytest.raises(kg.InputError, match="leave sample_weight"):
                method(DATA, sample_weight=weights)
        batches = tf.data.Dataset.from_tensor_slices((DATA, weights, weights)).batch(8)
        for name in ("vae", "gan", "diffusion"):
            with pytest.raises(kg.InputError, match="leave sample_weight"):
                compiled(MODELS[name]).fit(batches, verbose=0)


class TestFreezing:
    def test_after_a_training(self, vae):
        vae.fit(DATA, verbose=0)
        vae.encoder.trainable = False
        encoder, decoder = ([np.array(weight) for weight in net.weights] for net in (vae.encoder, vae.decoder))
        vae.fit(DATA, verbose=0)
        assert moved(vae.encoder.weights, encoder) == 0
        assert moved(vae.decoder.weights, decoder) > 1e-5

    def test_undone_without_compiling_again(self):
        vae = kg.VAE(**conv_networks(True))
        vae.encoder.trainable = False
        vae.compile()
        vae.fit(DATA, verbose=0)
        vae.encoder.trainable = True
        with pytest.raises(kg.InputError, match="compiled again .*Received: conv_0/kernel"):
            vae.fit(DATA, verbose=0)
        vae.compile()
        before = [np.array(weight) for weight in vae.encoder.weights]
        vae.fit(DATA, verbose=0)
        assert moved(vae.encoder.weights, before) > 1e-5


def test_options_may_be_given_by_place(vae):
    assert len(vae.fit(DATA, None, 8, 2, 0).history["loss"]) == 2
    assert int(vae.optimizer.iterations) == 4
    assert_allclose(vae.evaluate(DATA, None, 8, 0), vae.evaluate(DATA, batch_size=8, verbose=0))


def test_single_batches_are_refused_in_one_sentence(vae):
    for method in (vae.train_on_batch, vae.test_on_batch):
        with pytest.raises(kg.InputError, match=r"^binary_crossentropy needs data from 0 to 1.*to 255\.$"):
            method(np.full((2, *SHAPE), 255.0, np.float32))


def test_half_precision_in_a_nested_network_is_scaled():
    body = keras.Sequential(
        [keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(3, dtype="mixed_float16")], name="body"
    )
    image = keras.Input(SHAPE)
    latent = keras.layers.Identity(dtype="float32")(body(image))
    model = kg.Autoencoder(keras.Model(image, latent), conv_networks(False)["decoder"])
    model.compile()
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)


def test_the_older_format_is_refused(vae, tmp_path):
    with pytest.raises(kg.InputError, match=r"saved to a \.keras file. Received: .*old\.h5"):
        vae.save(tmp_path / "old.h5")
    assert not (tmp_path / "old.h5").exists()


def test_networks_are_not_replaced(vae):
    """What was traced, and the optimiser, would go on with the old one."""
    with pytest.raises(kg.InputError, match="A model keeps the networks.*Received: another decoder"):
        vae.decoder = conv_networks(True)["decoder"]
    vae.decoder = vae.decoder


class TestAverages:
    def test_go_with_weights_that_are_set(self):
        """Samples are of the weights that were set, not of an average of others."""
        model = kg.DCGAN(**gan_networks(), seed=0)
        model.compile()
        model.fit(DATA, verbose=0, callbacks=[kg.callbacks.GeneratorEMA(0.9)])
        zeros = [np.zeros_like(weight) for weight in model.get_weights()]
        assert np.abs(model.generate(2, seed=0) - 0.5).max() > 1e-3
        model.set_weights(zeros)
        assert model.averages == {}
        assert_array_equal(model.generate(2, seed=0), np.full((2, *SHAPE), 0.5))

    def test_come_back_with_the_best_weights(self):
        model = kg.DCGAN(**gan_networks(), seed=0)
        model.compile(keras.optimizers.Adam(0.1), keras.optimizers.Adam(0.1))
        samples = []
        worse = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(worse=float(epoch)))
        look = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: samples.append(model.generate(2, seed=0))
        )
        stop = keras.callbacks.EarlyStopping("worse", mode="min", patience=1, restore_best_weights=True)
        model.fit(
            DATA, epochs=3, batch_size=4, verbose=0, callbacks=[kg.callbacks.GeneratorEMA(0.9), worse, look, stop]
        )
        assert len(samples) == 2
        assert np.abs(samples[1] - samples[0]).max() > 1e-2
        assert_array_equal(model.generate(2, seed=0), samples[0])
        assert model.averages["generator"].updates == 4
