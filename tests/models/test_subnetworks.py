import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg
from tests.tiny_models import SHAPE, gan_networks, images

LAYERS = keras.layers


def sequential(*layers, shape):
    return keras.Sequential([keras.Input(shape), *layers])


def encoder(**options):
    """Images to three numbers, by one layer."""
    image = keras.Input(SHAPE)
    return keras.Model(image, LAYERS.Dense(3, name="latent", **options)(LAYERS.Flatten()(image)))


def decoder():
    return sequential(LAYERS.Dense(256), LAYERS.Reshape(SHAPE), shape=(3,))


class Own(keras.Model):
    """A network with a call of its own."""

    def __init__(self):
        super().__init__()
        self.dense = LAYERS.Dense(3)

    def call(self, inputs):
        return self.dense(keras.ops.reshape(inputs, (-1, 256)))


class TestWhatServesAsNetwork:
    def test_sequential_networks_train_and_survive_a_file(self, tmp_path):
        given = sequential(LAYERS.Flatten(), LAYERS.Dense(3), shape=SHAPE)
        model = kg.Autoencoder(given, decoder(), seed=0)
        model.compile()
        before = given.get_weights()[0].copy()
        model.fit(images(8), verbose=0)
        # The layers are the user's own.
        assert np.abs(given.get_weights()[0] - before).max() > 1e-4
        assert_allclose(model.encode(images(2)), given(images(2)), rtol=1e-5)
        model.save(tmp_path / "model.keras")
        loaded = kg.load_model(tmp_path / "model.keras")
        assert_array_equal(loaded.reconstruct(images(2)), model.reconstruct(images(2)))

    def test_sequential_networks_that_were_built_by_a_shape(self):
        given = keras.Sequential([LAYERS.Flatten(), LAYERS.Dense(3)])
        given.build((None, *SHAPE))
        assert kg.Autoencoder(given, decoder()).latent_dim == 3

    def test_lists_of_one_tensor(self):
        plain = encoder()
        listed = keras.Model([plain.input], [plain.output])
        model = kg.Autoencoder(listed, decoder())
        assert_allclose(model.encode(images(2)), plain(images(2)), rtol=1e-5)

    def test_what_does_not_say_what_it_takes(self):
        own = Own()
        own(images(1))
        for network in (own, Own(), keras.Sequential([LAYERS.Flatten(), LAYERS.Dense(3)]), "encoder"):
            with pytest.raises(
                kg.InputError, match=r"encoder is a functional .*keras.Model\(inputs, network\(inputs\)\)"
            ):
                kg.Autoencoder(network, decoder())
        image = keras.Input(SHAPE)
        assert kg.Autoencoder(keras.Model(image, own(image)), decoder()).latent_dim == 3

    def test_lists_of_several_tensors(self):
        one = encoder()
        two = keras.Model(one.input, [one.output, LAYERS.Dense(3)(one.output)])
        with pytest.raises(kg.InputError, match="encoder takes and gives .* of lists, with 1 and 2 tensors"):
            kg.VAE(two, decoder())

    def test_inputs_and_outputs_of_other_names(self):
        noise, label, networks = keras.Input((3,), name="z"), keras.Input((2,), name="label"), gan_networks()
        made = networks["generator"](noise)
        with pytest.raises(kg.InputError, match='takes "noise", and may take "condition". Received: label, z'):
            kg.GAN(keras.Model({"z": noise, "label": label}, made), networks["discriminator"])
        critic = networks["discriminator"]
        logit = keras.Model(critic.input, {"logit": critic.output["score"]})
        with pytest.raises(kg.InputError, match='gives a "score". Received: logit'):
            kg.GAN(networks["generator"], logit)
        with pytest.raises(kg.InputError, match='takes "latent", and may take "condition". Received: z'):
            kg.Autoencoder(encoder(), keras.Model({"z": noise}, decoder()(noise)))


def test_networks_of_a_model_share_no_weights():
    shared, first, second = LAYERS.Dense(3, name="shared"), keras.Input((3,)), keras.Input((3,))
    with pytest.raises(kg.InputError, match="Received: shared/kernel in encoder and decoder"):
        kg.Autoencoder(keras.Model(first, shared(first)), keras.Model(second, shared(second)))
    # Two models may share a network.
    networks = encoder(), decoder()
    assert kg.Autoencoder(*networks).decoder.weights[0] is kg.Autoencoder(*networks).decoder.weights[0]


class TestAddedLosses:
    """Regularisers of the user's layers are heeded, as in any Keras model."""

    def test_of_weights_move_weights(self):
        """A loss of zero gradient, so that the step is the regulariser's alone: w - 0.1 * 2 * 0.5 * w."""
        head = encoder(kernel_regularizer=keras.regularizers.L2(0.5))
        nothing = sequential(LAYERS.Rescaling(0.0), LAYERS.Dense(256), LAYERS.Reshape(SHAPE), shape=(3,))
        model = kg.Autoencoder(head, nothing, output_activation="linear", seed=0)
        model.compile(keras.optimizers.SGD(0.1), reconstruction="mean_squared_error")
        before = head.get_weights()[0].copy()
        logs = model.fit(images(8), batch_size=8, verbose=0).history
        assert_allclose(head.get_weights()[0], 0.9 * before, rtol=1e-5)
        added = logs["loss"][0] - logs["reconstruction_loss"][0]
        assert_allclose(added, 0.5 * np.sum(before**2), rtol=1e-4)

    def test_of_activities(self):
        head = encoder(activity_regularizer=keras.regularizers.L2(2.0))
        model = kg.Autoencoder(head, decoder(), seed=0)
        model.compile()
        logs = model.evaluate(images(8), batch_size=8, verbose=0, return_dict=True)
        # Keras divides by the number of samples.
        wanted = 2.0 * np.sum(np.square(model.encode(images(8)))) / 8
        assert_allclose(logs["loss"] - logs["reconstruction_loss"], wanted, rtol=1e-3)

    def test_of_both_sides_of_a_gan(self):
        regularizer = keras.regularizers.L2(1.0)
        critic = sequential(LAYERS.Flatten(), LAYERS.Dense(1, kernel_regularizer=regularizer), shape=SHAPE)
        # Makes zeros, of which this critic's score is 0.
        generator = sequential(
            LAYERS.Rescaling(0.0), LAYERS.Dense(256, kernel_regularizer=regularizer), LAYERS.Reshape(SHAPE), shape=(3,)
        )
        model = kg.GAN(generator, critic, seed=0)
        model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), loss="wasserstein")
        logs = {name: values[0] for name, values in model.fit(images(8), batch_size=8, verbose=0).history.items()}
        assert_allclose(logs["g_loss"], np.sum(generator.get_weights()[0] ** 2), rtol=1e-5)
        assert_allclose(logs["d_loss"], np.sum(critic.get_weights()[0] ** 2) - logs["d_real"], rtol=1e-5)

    def test_of_a_discriminators_activities_are_refused(self):
        image = keras.Input(SHAPE)
        score = LAYERS.Dense(1, activity_regularizer="l2")(LAYERS.Flatten()(image))
        model = kg.GAN(gan_networks()["generator"], keras.Model(image, score))
        model.compile()
        with pytest.raises(kg.InputError, match="regularisers of weights alone"):
            model.fit(images(8), verbose=0)
