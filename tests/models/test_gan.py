import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg
from kmatgen.adversarial.term import BaseTerm
from kmatgen.export import ServedModel
from kmatgen.models import gan_variants
from kmatgen.models.gan import GAN
from kmatgen.models.structures import known_classes
from tests.tiny_models import FOUR, MODELS, SHAPE, compiled, gan_networks, images, quiet_gan_networks


def weights_of(network):
    return [np.array(weight) for weight in network.weights]


def moved(network, before):
    return max(np.abs(np.array(new) - old).max() for new, old in zip(network.trainable_weights, before, strict=True))


ROLES = ("generator", "discriminator")


class OfEach(BaseTerm):
    """A term that forgets to take the mean."""

    def g_loss(self, round):
        return tf.reduce_mean(round.fake, axis=[1, 2, 3])


class TestStep:
    def test_each_half_moves_its_own_network_alone(self):
        model = compiled(MODELS["wgan_gp"])
        data = tf.constant(images(8))
        before = {
            role: [np.array(w) for w in getattr(model, role).trainable_weights]
            for role in ("generator", "discriminator")
        }
        model.discriminator_step(data, None)
        assert moved(model.generator, before["generator"]) == 0
        assert moved(model.discriminator, before["discriminator"]) > 0
        before = {
            role: [np.array(w) for w in getattr(model, role).trainable_weights]
            for role in ("generator", "discriminator")
        }
        model.generator_step(data, None)
        assert moved(model.generator, before["generator"]) > 0
        assert moved(model.discriminator, before["discriminator"]) == 0

    def test_one_step_by_hand(self):
        """Least squares with a linear critic: the update worked out in numpy."""
        model = kg.LSGAN(**quiet_gan_networks(), seed=0)
        sgd = keras.optimizers.SGD(0.1)
        model.compile(keras.optimizers.SGD(0.0), sgd)
        data = images(8)
        kernel, bias = (np.array(weight) for weight in model.discriminator.trainable_weights)
        fake = model.generate(8, seed=0).reshape(8, -1)
        real = data.reshape(8, -1)
        errors = [(real, real @ kernel + bias - 1), (fake, fake @ kernel + bias)]
        # The paper's 1/2 of the mean square.
        gradient = sum(x.T @ error / 8 for x, error in errors)
        model.fit(data, batch_size=8, epochs=1, verbose=0)
        assert_allclose(model.discriminator.trainable_weights[0], kernel - 0.1 * gradient, rtol=1e-4, atol=1e-6)

    def test_every_discriminator_step_sees_fresh_data(self, monkeypatch):
        seen = []
        original = GAN.discriminator_step

        def spy(self, real, condition):
            seen.append((real.numpy(), condition.numpy()))
            return original(self, real, condition)

        monkeypatch.setattr(GAN, "discriminator_step", spy)
        case = MODELS["conditional_gan"]
        model = compiled(case, d_steps=3, run_eagerly=True)
        samples, classes = case.data(12)
        model.fit(samples, classes, batch_size=12, shuffle=False, verbose=0)
        assert [len(real) for real, _ in seen] == [4, 4, 4]
        together = np.concatenate([real for real, _ in seen])
        assert len(np.unique(together.reshape(12, -1), axis=0)) == 12
        for real, given in seen:
            rows = [np.flatnonzero((samples == image).all((1, 2, 3)))[0] for image in real]
            assert_array_equal(given, classes[rows])

    def test_d_steps_counts_optimiser_steps(self):
        model = compiled(MODELS["wgan_gp"])
        model.fit(images(16), batch_size=8, epochs=1, verbose=0)
        assert int(model.d_optimizer.iterations) == 4
        assert int(model.g_optimizer.iterations) == 2

    def test_clipping_keeps_weights_in_the_box(self):
        model = compiled(MODELS["wgan"])
        model.fit(images(16), batch_size=8, epochs=1, verbose=0)
        assert max(np.abs(np.array(w)).max() for w in model.discriminator.trainable_weights) <= 0.01 + 1e-9

    def test_spectral_norms_move_in_discriminator_steps_alone(self):
        model = compiled(MODELS["sngan"])
        vectors = [w for w in model.discriminator.non_trainable_weights if w.path.endswith("/u")]
        assert vectors
        before = [np.array(vector) for vector in vectors]
        model.generator_step(tf.constant(images(4)), None)
        for vector, old in zip(vectors, before, strict=True):
            assert_array_equal(vector, old)
        model.discriminator_step(tf.constant(images(4)), None)
        model.discriminator_step(tf.constant(images(4)), None)
        assert max(np.abs(np.array(vector) - old).max() for vector, old in zip(vectors, before, strict=True)) > 0

    def test_samples_may_be_dicts(self):
        noise = keras.Input((3,), name="noise")
        made = {name: keras.layers.Dense(size, dtype="float32", name=name)(noise) for name, size in FIELDS.items()}
        fields = {name: keras.Input((size,), name=name) for name, size in FIELDS.items()}
        joined = keras.layers.Concatenate()(list(fields.values()))
        critic = keras.Model(fields, keras.layers.Dense(1, dtype="float32")(joined))
        model = kg.WGANGP(keras.Model(noise, made), critic, seed=0)
        model.compile(d_steps=2)
        rng = np.random.default_rng(0)
        data = {name: rng.random((16, size), np.float32) for name, size in FIELDS.items()}
        history = model.fit(kg.data.batches(data, 4, d_steps=2), epochs=1, verbose=0).history
        assert np.isfinite(history["gradient_penalty"]).all()
        samples = model.generate(5, seed=1)
        assert {name: value.shape for name, value in samples.items()} == {"lattice": (5, 6), "coords": (5, 9)}

    def test_conditions_may_be_dicts(self, tmp_path):
        def entries():
            return {"mask": keras.Input((2,), name="mask"), "property": keras.Input((1,), name="property")}

        asked, noise = entries(), keras.Input((3,), name="noise")
        joined = keras.layers.Concatenate()([noise, *asked.values()])
        made = {name: keras.layers.Dense(size, dtype="float32", name=name)(joined) for name, size in FIELDS.items()}
        generator = keras.Model({"noise": noise, "condition": asked}, made)
        fields, asked = {name: keras.Input((size,), name=name) for name, size in FIELDS.items()}, entries()
        joined = keras.layers.Concatenate()([*fields.values(), *asked.values()])
        critic = keras.Model({"sample": fields, "condition": asked}, keras.layers.Dense(1, dtype="float32")(joined))
        model = kg.WGANGP(generator, critic, seed=0)
        model.compile(d_steps=1)
        rng = np.random.default_rng(0)
        data = {name: rng.random((8, size), np.float32) for name, size in FIELDS.items()}
        condition = {"mask": np.ones((8, 2), np.float32), "property": rng.random((8, 1), np.float32)}
        model.fit(tf.data.Dataset.from_tensor_slices((data, condition)).batch(4), epochs=1, verbose=0)
        expected = model.generate(8, condition, seed=1)
        with pytest.raises(kg.InputError, match=r"a condition of mask, property\. Received: mask"):
            model.generate(2, {"mask": [1.0, 1.0]})
        assert model.score(data, condition).shape == (8, 1)
        model.export(tmp_path / "export")
        served = ServedModel(tmp_path / "export")
        for name, values in served.generate(8, condition, seed=1).items():
            assert_allclose(values, expected[name], atol=1e-5)
        assert_allclose(
            served.loaded.signatures["score"](**data, **condition)["score"], model.score(data, condition), atol=1e-5
        )


FIELDS = {"lattice": 6, "coords": 9}


class TestSampling:
    def test_one_condition_for_all_or_one_each(self):
        model = compiled(MODELS["acgan"])
        assert_allclose(model.generate(3, 2, seed=0), model.generate(3, [2, 2, 2], seed=0))
        assert np.abs(model.generate(3, 2, seed=0) - model.generate(3, 1, seed=0)).max() > 1e-4

    @pytest.mark.parametrize(
        ("condition", "message"),
        [
            (None, "needs a condition that is one number, or one for each sample. Received: None"),
            (4, "classes 0 to 3. Received: 4 to 4"),
            ([-1, 0, 1], "Received: -1 to 1"),
            ([0, 1], r"Received: int64 of shape \(2,\)"),
            (0.5, "Received: float64"),
        ],
    )
    def test_conditions_that_do_not_fit(self, condition, message):
        with pytest.raises(kg.InputError, match=message):
            compiled(MODELS["acgan"]).generate(3, condition)

    def test_an_export_knows_its_classes_too(self, tmp_path):
        model = compiled(MODELS["acgan"])
        model.export(tmp_path / "export")
        served = ServedModel(tmp_path / "export")
        assert_allclose(served.generate(2, [0, 3], seed=1), model.generate(2, [0, 3], seed=1), atol=1e-5)
        assert_array_equal(served.example_condition(5), [0, 1, 2, 3, 0])
        with pytest.raises(kg.InputError, match="classes 0 to 3. Received: 4 to 4"):
            served.generate(2, 4)
        with pytest.raises(kg.InputError, match="is a number, or an array of numbers"):
            served.generate(2, {"class": 1})

    def test_a_condition_that_is_not_wanted(self):
        with pytest.raises(kg.InputError, match="takes no condition. Received: condition=1"):
            compiled(MODELS["gan"]).generate(3, 1)

    def test_property_vectors(self):
        two = {"size": 2}
        model = kg.ConditionalGAN(**gan_networks({"condition": two}, condition=two), seed=0)
        model.compile()
        model.fit(images(8), np.zeros((8, 2), np.float32), batch_size=8, verbose=0)
        assert model.generate(3, [0.1, 0.9]).shape == (3, *SHAPE)
        with pytest.raises(kg.InputError, match=r"Received: float64 of shape \(3,\)"):
            model.generate(4, [0.1, 0.9, 0.3])

    def test_infogan_draws_codes_or_takes_them(self):
        model = compiled(MODELS["infogan"])
        assert_array_equal(model.generate(3, seed=1), model.generate(3, seed=1))
        code = np.zeros(12, np.float32)
        assert model.generate(2, code, seed=1).shape == (2, *SHAPE)

    def test_scores(self):
        model = compiled(MODELS["wgan_gp"])
        data = images(5)
        assert_allclose(model.score(data, batch_size=2), model.discriminator(data)["score"], rtol=1e-5)

    def test_scores_of_conditions(self):
        model = compiled(MODELS["conditional_gan"])
        data = images(4)
        wanted = model.discriminator({"sample": tf.constant(data), "condition": tf.constant([2, 2, 2, 2])})["score"]
        assert_allclose(model.score(data, [2, 2, 2, 2], batch_size=3), wanted, rtol=1e-5)
        assert_allclose(model.score(data, 2), wanted, rtol=1e-5)
        for condition, message in ((None, "needs a condition"), ([1, 2], r"Received: int64 of shape \(2,\)")):
            with pytest.raises(kg.InputError, match=message):
                model.score(data, condition)
        with pytest.raises(kg.InputError, match="This discriminator takes no condition. Received: condition=2"):
            compiled(MODELS["dcgan"]).score(data, 2)


class TestRefusals:
    def test_networks_that_do_not_fit(self):
        networks = gan_networks()
        networks["discriminator"] = kg.networks.mlp_discriminator((8, 8, 1), (4,))
        with pytest.raises(
            kg.InputError, match=r"takes, \(None, 8, 8, 1\). Received: a generator of \(None, 16, 16, 1\)"
        ):
            kg.GAN(**networks)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"terms": ["auxiliary_classifier"]}, "needs the discriminator output 'class_logits'. Received: .*score"),
            ({"terms": ["r1", "r1"]}, "Received: r1, r1"),
            ({"terms": ["r3"]}, "A term is one of .*Received: 'r3'"),
            ({"loss": "mse"}, "A loss is one of .*Received: 'mse'"),
            ({"terms": [kg.R1(name="d_loss")]}, "from g_loss, d_loss, d_real, d_fake. Received: d_loss"),
            ({"loss": keras.losses.MeanSquaredError()}, r"of a class that kmatgen.registry.register\('loss'\) knows"),
            ({"d_steps": 0}, "Received: 0"),
            ({"d_steps": True}, "Received: True"),
            ({"d_optimizer": keras.optimizers.Adam(use_ema=True)}, "use_ema=True"),
        ],
    )
    def test_compile(self, arguments, message):
        with pytest.raises(kg.InputError, match=message):
            kg.GAN(**gan_networks()).compile(**arguments)

    def test_a_term_is_a_scalar(self):
        """The gradient of a vector would be that of its sum: all else would count as many times less."""
        model = compiled(MODELS["dcgan"])
        model.terms = [OfEach(1.0, "of_each")]
        with pytest.raises(kg.InputError, match=r"The g_loss of OfEach is a scalar.*Received: shape \(None,\)"):
            model.fit(images(8), verbose=0)

    @pytest.mark.parametrize("make", [kg.ACGAN, kg.ConditionalGAN])
    @pytest.mark.parametrize("label", [-1, 4])
    def test_classes_out_of_range_stop_the_step(self, make, label):
        takes = {"classes": 4} if make is kg.ACGAN else {"condition": FOUR}
        model = make(**gan_networks({"condition": FOUR}, **takes))
        model.compile()
        before = model.get_weights()
        with pytest.raises(kg.InputError, match=f"^This .* knows the classes 0 to 3. Received: {label} to {label}.$"):
            model.fit(images(8), np.full(8, label), batch_size=8, verbose=0)
        for one, other in zip(before, model.get_weights(), strict=True):
            assert_array_equal(one, other)

    def test_batches_of_other_shapes(self):
        model = kg.ConditionalGAN(**gan_networks({"condition": {"size": 2}}, condition={"size": 2}))
        model.compile()
        with pytest.raises(kg.InputError, match=r"Conditions of shape \(2,\) are wanted.*Received: \(3,\)"):
            model.fit(images(8), np.zeros((8, 3)), verbose=0)
        with pytest.raises(kg.InputError, match=r"Samples of shape \(16, 16, 1\) are wanted.*Received: \(8, 8, 1\)"):
            model.fit(np.zeros((8, 8, 8, 1)), np.zeros((8, 2)), verbose=0)

    def test_a_batch_that_cannot_be_divided(self):
        model = compiled(MODELS["wgan_gp"], d_steps=3)
        with pytest.raises(kg.InputError, match="d_steps=3.*Received: 8"):
            model.fit(images(8), batch_size=8, verbose=0)

    def test_samples_without_conditions(self):
        with pytest.raises(kg.InputError, match="pairs of sample and condition. Received: samples alone"):
            compiled(MODELS["acgan"]).fit(images(8), batch_size=8, verbose=0)


class TestVariants:
    @pytest.mark.parametrize("name", [name for name in vars(gan_variants) if name.isupper() or name.endswith("GAN")])
    def test_a_variant_holds_defaults_and_nothing_else(self, name):
        cls = getattr(gan_variants, name)
        if cls is not GAN:
            assert {key for key in vars(cls) if not key.startswith("__") and not key.startswith("_")} <= {"DEFAULTS"}
            assert set(cls.DEFAULTS) <= {"g_optimizer", "d_optimizer", "loss", "terms", "d_steps"}

    def test_defaults_and_what_overrides_them(self):
        model = kg.WGANGP(**gan_networks(normalization="layer"), seed=0)
        model.compile()
        assert model.d_steps == 5
        assert model.terms[0].weight == 10.0
        assert float(model.g_optimizer.learning_rate) == pytest.approx(1e-4)
        model.compile(loss="hinge", terms=[], d_steps=1)
        assert model.terms == []
        assert model.get_compile_config()["d_steps"] == 1

    def test_two_models_share_no_optimiser(self):
        one, other = (kg.DCGAN(**gan_networks(), seed=0) for _ in range(2))
        one.compile()
        other.compile()
        one.fit(images(8), batch_size=8, verbose=0)
        assert int(other.g_optimizer.iterations) == 0

    def test_known_classes(self):
        made = gan_networks({"condition": FOUR, "conditioning": "conditional_normalization"})
        assert known_classes(made["generator"]) == 4
        assert known_classes(gan_networks()["generator"]) is None
