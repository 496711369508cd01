import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg
from kmatgen.models import properties
from tests.tiny_models import conv_networks, field_data, field_vae, images

SCALES = {"a": {"mean": 1.0, "scale": 2.0}, "b": {"mean": 0.0, "scale": 1.0}}


def linear_head(*names, size=3):
    latent = keras.Input((size,), name="latent")
    ones = keras.initializers.Constant(0.5)
    return keras.Model(latent, {name: keras.layers.Dense(1, kernel_initializer=ones)(latent) for name in names})


def test_loss_by_hand():
    predicted = {"a": np.array([[0.0], [1.0]], np.float32), "b": np.array([[3.0], [5.0]], np.float32)}
    told = {"a": np.array([[2.0], [1.0]], np.float32), "b": np.array([[1.0], [np.nan]], np.float32)}
    # a: 1/2 and 0 are wanted; b: 1, the other is not known.
    assert_allclose(properties.property_loss(predicted, told, SCALES), ((0.25 + 1) / 2 + 4) / 2, rtol=1e-6)


def test_distances_by_hand():
    predicted = {"a": np.array([[1.0], [3.0], [5.0], [1.0]]), "b": np.zeros((4, 1))}
    # Two candidates for each of two samples.
    found = properties.distances(predicted, {"a": np.array([1.0, 5.0])}, SCALES)
    assert_allclose(found, [0, 1, 0, 4])


def test_scales_that_are_left_out():
    found = properties.check_properties(linear_head("a", "b"), {"a": {"mean": 1.0, "scale": 2.0, "size": 1}}, 3, set())
    assert found == SCALES
    assert properties.check_properties(None, None, 3, set()) == {}


@pytest.mark.parametrize(
    ("head", "given", "taken", "match"),
    [
        (None, {"a": {}}, set(), "Received: a without one"),
        (linear_head("a", size=4), None, set(), r"Received: \(None, 4\) to"),
        (conv_networks(True)["decoder"], None, set(), "to one output"),
        (linear_head("a"), {"c": {}}, set(), "Received: 'c'"),
        (linear_head("a"), None, {"a"}, "no entries of the condition. Received: 'a'"),
        (linear_head("a"), {"a": {"scale": 0.0}}, set(), "scale of a property is positive"),
    ],
)
def test_refuses_heads(head, given, taken, match):
    with pytest.raises(kg.InputError, match=match):
        properties.check_properties(head, given, 3, taken)


def test_predictions_are_in_units_of_the_property():
    model = field_vae()
    sample, told = field_data(5)
    latent = model.encode(sample, {"mask": told["mask"]})
    expected = model.property_head(latent)["property"][:, 0] * 2.0 + 0.5
    assert_allclose(model.predict_properties(sample, {"mask": told["mask"]})["property"], expected, rtol=1e-5)


def vae_with_a():
    return kg.VAE(**conv_networks(True), property_head=linear_head("a"), properties={"a": SCALES["a"]}, seed=0)


def test_samples_are_chosen_by_what_is_asked():
    vae = vae_with_a()
    asked = np.array([-1.0, 0.0, 2.0, 3.0])
    drawn = vae.draw_latent(4 * 64, np.array([1, 0])).numpy()
    chosen = vae.nearest_points(drawn, {"a": asked}, 4)
    assert_array_equal(chosen // 64, np.arange(4))
    # Predictions are 1 + 2 (z1 + z2 + z3) / 2.
    assert_allclose(1 + drawn[chosen].sum(axis=1), asked, atol=0.3)
    assert_allclose(vae.generate(4, seed=1, properties={"a": asked}), vae.decode(drawn[chosen]), atol=1e-6)
    # Of one candidate there is none to choose.
    one = vae.generate(4, seed=1, properties={"a": 0.0}, candidates=1)
    assert_allclose(one, vae.generate(4, seed=1), atol=1e-6)


def test_near_real_data():
    vae, data = vae_with_a(), images(6)
    made = vae.generate(5, seed=1, near=data, strength=0.0)
    real = vae.reconstruct(data)
    assert (np.abs(made[:, None] - real[None]).max(axis=(2, 3, 4)).min(axis=1) < 1e-6).all()
    # The best of many draws of all six is the one with the nearest prediction.
    predicted = vae.predict_properties(data)["a"]
    best = vae.generate(2, seed=1, near=data, strength=0.0, properties={"a": 9.0}, candidates=200)
    assert_allclose(best, real[[np.abs(predicted - 9.0).argmin()] * 2], atol=1e-6)
    # At full strength, points of the latent distributions.
    far = vae.generate(5, seed=1, near=data)
    assert np.abs(far - made).max() > 1e-3
    assert_allclose(vae.generate(5, seed=1, near=data, batch_size=2), far, atol=1e-6)


def test_near_data_with_their_conditions():
    model = field_vae()
    sample, told = field_data(4)
    mask = {"mask": told["mask"]}
    made, real = model.generate(6, seed=2, near=(sample, mask), strength=0.0), model.reconstruct(sample, mask)
    assert (np.abs(made["coords"][:, None] - real["coords"][None]).max(axis=(2, 3)).min(axis=1) < 1e-6).all()
    with pytest.raises(kg.InputError, match="needs a condition of mask"):
        model.generate(2, near=sample)


def test_training_follows_the_property():
    vae = kg.VAE(**conv_networks(True), property_head=linear_head("a"), seed=0)
    vae.compile(keras.optimizers.Adam(1e-2), kl_weight=0.0)
    data = images(32)
    data[::2] *= 0.5
    told = {"a": data.mean(axis=(1, 2, 3), keepdims=False)[:, None] * 4}
    losses = vae.fit(data, told, epochs=8, batch_size=8, verbose=0).history["property_loss"]
    assert losses[-1] < 0.2 * losses[0]
    told["a"][:3] = np.nan
    assert np.isfinite(vae.evaluate(data, told, verbose=0, return_dict=True)["property_loss"])


def test_refuses_questions():
    vae, plain = field_vae(), kg.VAE(**conv_networks(True))
    with pytest.raises(kg.InputError, match=r"none, it has no property head\. Received: a\."):
        plain.generate(2, properties={"a": 1.0})
    with pytest.raises(kg.InputError, match="no property head"):
        plain.predict_properties(images(2))
    with pytest.raises(kg.InputError, match=r"predicts the properties property\. Received: gap"):
        vae.generate(2, properties={"gap": 1.0})
    with pytest.raises(kg.InputError, match="property is a number, or 2 of them"):
        vae.generate(2, properties={"property": [1.0, 2.0, 3.0]})
    with pytest.raises(kg.InputError, match="Received: candidates=0, strength=1.0"):
        vae.generate(2, properties={"property": 1.0}, candidates=0)
