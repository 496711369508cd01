import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg
from tests.tiny_models import SHAPE, batched, conv_networks, field_data, field_vae, images


@pytest.fixture
def vae():
    model = kg.VAE(**conv_networks(True), seed=0)
    model.compile("adam", kl_weight=0.5)
    return model


def test_loss_is_the_sum_it_says(vae):
    logs = vae.evaluate(images(), verbose=0, return_dict=True)
    assert_allclose(logs["loss"], logs["reconstruction_loss"] + 0.5 * logs["kl_loss"], rtol=1e-6)
    assert_allclose(logs["kl_weight"], 0.5)


def test_evaluate_weighs_a_partial_batch_by_its_size(vae):
    whole = vae.evaluate(batched(12, 12), verbose=0, return_dict=True)
    parts = vae.evaluate(batched(12, 8), verbose=0, return_dict=True)
    # The KL divergence does not depend on the noise, which differs with the batch.
    assert_allclose(parts["kl_loss"], whole["kl_loss"], rtol=1e-5)


def test_training_reduces_the_loss_of_a_learnable_set():
    ramp = np.linspace(0, 1, 16, dtype=np.float32)
    data = np.stack([np.roll(np.tile(ramp, (16, 1)), shift, 1) for shift in range(16)] * 4)[..., None]
    model = kg.VAE(**conv_networks(True), seed=0)
    model.compile(keras.optimizers.Adam(1e-2), kl_weight=0.0)
    losses = model.fit(data, epochs=15, batch_size=16, verbose=0).history["reconstruction_loss"]
    # A constant grey has log 2 = 0.693.
    assert losses[-1] < 0.66


def test_generate_repeats_with_its_seed(vae):
    assert_array_equal(vae.generate(6, seed=1), vae.generate(6, seed=1))
    assert np.abs(vae.generate(6, seed=1) - vae.generate(6, seed=2)).max() > 1e-3
    assert np.abs(vae.generate(6) - vae.generate(6)).max() > 1e-4
    assert_allclose(vae.generate(6, seed=1, batch_size=4), vae.generate(6, seed=1), atol=1e-6)
    assert vae.generate(3, seed=0).dtype == np.float32


def test_generate_refuses_none(vae):
    with pytest.raises(kg.InputError, match="Received: n=0"):
        vae.generate(0)


def test_samples_are_in_data_units(vae):
    samples = vae.generate(8, seed=0)
    assert 0 <= samples.min() <= samples.max() <= 1


def test_encode_decode_reconstruct(vae):
    data = images(5)
    latent = vae.encode(data, batch_size=2)
    assert_allclose(latent, vae.encoder(data)["mean"], rtol=1e-5, atol=1e-6)
    assert_allclose(vae.decode(latent), vae.reconstruct(data), atol=1e-6)
    assert_allclose(vae.predict(data, verbose=0), vae.reconstruct(data), atol=1e-6)


def test_interpolate_goes_from_one_to_the_other(vae):
    first, last = images(2)
    path = vae.interpolate(first, last, steps=5)
    assert path.shape == (5, *SHAPE)
    assert_allclose(path[[0, -1]], vae.reconstruct(np.stack([first, last])), atol=1e-6)
    middle = vae.encode(np.stack([first, last])).mean(0, keepdims=True)
    assert_allclose(path[2:3], vae.decode(middle), atol=1e-6)
    with pytest.raises(kg.InputError, match="Received: steps=1"):
        vae.interpolate(first, last, steps=1)


def test_wrong_shape_is_named(vae):
    with pytest.raises(kg.InputError, match=r"images of shape \(None, 16, 16, 1\).*Received: \(2, 8, 8, 1\)"):
        vae.encode(np.zeros((2, 8, 8, 1)))


def test_schedule_follows_the_step():
    model = kg.VAE(**conv_networks(True), seed=0)
    model.compile("adam", kl_weight=kg.schedules.LinearWarmup(1.0, 8))
    history = model.fit(batched(), epochs=2, verbose=0).history
    # Steps 0 to 3, then 4 to 7.
    assert_allclose(history["kl_weight"], [np.mean([0, 1, 2, 3]) / 8, np.mean([4, 5, 6, 7]) / 8], rtol=1e-6)


def test_keras_schedule_serves_as_weight():
    model = kg.VAE(**conv_networks(True), seed=0)
    model.compile("adam", kl_weight=keras.optimizers.schedules.PolynomialDecay(0.0, 4, 1.0))
    assert_allclose(model.fit(batched(), epochs=1, verbose=0).history["kl_weight"], [np.mean([0, 1, 2, 3]) / 4])


def test_evaluation_leaves_training_alone(vae):
    other = kg.VAE(**conv_networks(True), seed=0)
    other.set_weights(vae.get_weights())
    for model, held_out in ((vae, None), (other, batched(16))):
        model.compile("adam", kl_weight=0.5, run_eagerly=True)
        model.fit(batched(), epochs=2, validation_data=held_out, verbose=0)
    for one, two in zip(vae.get_weights(), other.get_weights(), strict=True):
        assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kl_weight": -1.0}, "Received: -1.0"),
        ({"kl_weight": float("nan")}, "kl_weight is a schedule or a number of at least 0. Received: nan"),
        ({"kl_weight": "0.1"}, "Received: '0.1'"),
        ({"kl_weight": abs}, "Received: <built-in function abs>"),
        ({"optimizer": None}, "An optimiser is .*Received: None"),
        ({"kl_reduction": "max"}, "Received: 'max'"),
        ({"reconstruction": "hinge"}, "Received: 'hinge'"),
        ({"property_weight": -2.0}, "property_weight is a number of at least 0. Received: -2.0"),
    ],
)
def test_compile_refuses(vae, arguments, message):
    with pytest.raises(kg.InputError, match=message):
        vae.compile(**arguments)


def test_loss_of_fields_by_hand():
    model = field_vae(quiet=True)
    model.compile("adam", reconstruction="mean_squared_error", kl_weight=0.0, property_weight=3.0)
    sample, told = field_data(4)
    mask = {"mask": told["mask"]}
    logs = model.evaluate(sample, told, verbose=0, return_dict=True)
    made = model.reconstruct(sample, mask)
    squares = np.square(sample["coords"] - made["coords"]).mean(axis=2)
    coords = (squares * told["mask"]).sum() / told["mask"].sum()
    lattice = np.square(sample["lattice"] - made["lattice"]).mean()
    error = (model.predict_properties(sample, mask)["property"] - told["property"][:, 0]) / 2.0
    assert_allclose(logs["coords_loss"], coords, rtol=1e-5)
    assert_allclose(logs["lattice_loss"], lattice, rtol=1e-5)
    assert_allclose(logs["reconstruction_loss"], coords + lattice, rtol=1e-5)
    assert_allclose(logs["property_loss"], np.square(error).mean(), rtol=1e-5)
    assert_allclose(logs["loss"], coords + lattice + 3 * np.square(error).mean(), rtol=1e-5)


def test_data_that_tell_too_little_are_named():
    model = field_vae()
    model.compile("adam")
    sample, told = field_data(8)
    with pytest.raises(kg.InputError, match="mask, property. Received: samples with nothing else"):
        model.fit(sample, verbose=0)
    with pytest.raises(kg.InputError, match="Received: samples with mask"):
        model.fit(sample, {"mask": told["mask"]}, verbose=0)
