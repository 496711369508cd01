import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

import kmatgen as kg
from tests.tiny_models import SHAPE, conv_networks, field_data, field_vae, images


def test_fields_through_the_latent_space_and_back():
    model = field_vae()
    sample, told = field_data(6)
    mask = {"mask": told["mask"]}
    latent = model.encode(sample, mask, batch_size=4)
    heads = model.encoder({"sample": sample, "condition": mask})
    assert_allclose(latent, heads["mean"], rtol=1e-5, atol=1e-6)
    made, again = model.decode(latent, mask), model.reconstruct(sample, mask)
    assert {name: values.shape for name, values in made.items()} == {"coords": (6, 4, 3), "lattice": (6, 2)}
    for name, values in made.items():
        assert_allclose(values, again[name], atol=1e-6)
        assert_allclose(model.predict({"sample": sample, "condition": mask}, verbose=0)[name], values, atol=1e-6)


def test_one_condition_for_a_path():
    model = field_vae()
    sample, told = field_data(2)
    first, last = ({name: values[row] for name, values in sample.items()} for row in (0, 1))
    path = model.interpolate(first, last, steps=3, condition={"mask": told["mask"][1]})
    ends = model.reconstruct(sample, {"mask": told["mask"][[1, 1]]})
    assert_allclose(path["coords"][[0, 2]], ends["coords"], atol=1e-6)


def test_conditions_are_drawn_where_they_are_not_asked_for():
    model = field_vae()
    drawn = model.draw_conditions(3, 5)
    assert_allclose(model.generate(3, seed=5)["coords"], model.generate(3, drawn, seed=5)["coords"], atol=1e-6)


def test_answers_in_data_units():
    tenfold = keras.Input(SHAPE, name="sample")
    to_units = keras.Model(tenfold, keras.layers.Rescaling(10.0)(tenfold))
    plain, scaled = (kg.VAE(**conv_networks(True), data_decoder=units, seed=0) for units in (None, to_units))
    scaled.set_weights(plain.get_weights())
    data = images(3)
    assert_allclose(scaled.reconstruct(data), 10 * plain.reconstruct(data), rtol=1e-5)
    assert_allclose(scaled.generate(3, seed=1), 10 * plain.generate(3, seed=1), rtol=1e-5)
    # On the scale of training.
    assert_allclose(scaled.predict(data, verbose=0), plain.predict(data, verbose=0), rtol=1e-5)


def test_refuses_what_is_no_sample():
    model = field_vae()
    sample, told = field_data(3)
    mask = {"mask": told["mask"]}
    with pytest.raises(kg.InputError, match="takes samples of coords, lattice. Received: lattice"):
        model.encode({"lattice": sample["lattice"]}, mask)
    with pytest.raises(kg.InputError, match="Received: one array"):
        model.encode(images(3), mask)
    with pytest.raises(kg.InputError, match="the same number of rows"):
        model.encode({**sample, "lattice": sample["lattice"][:2]}, mask)
    with pytest.raises(kg.InputError, match="needs a condition of mask. Received: None"):
        model.encode(sample)
    with pytest.raises(kg.InputError, match="takes no condition"):
        kg.VAE(**conv_networks(True)).encode(images(2), mask)


def test_latent_points_are_float32_whatever_the_encoder_computes_in():
    image = keras.Input(SHAPE, name="image")
    flat = keras.layers.Flatten(dtype="mixed_float16")(image)
    heads = {name: keras.layers.Dense(3, dtype="mixed_float16")(flat) for name in ("mean", "log_var")}
    model = kg.VAE(keras.Model(image, heads), conv_networks(True)["decoder"])
    assert model.encoder(images(2))["mean"].dtype == "float16"
    assert model.encode(images(2)).dtype == "float32"


def test_refuses_data_of_another_scale_and_nothing():
    model = kg.VAE(**conv_networks(True))
    data = images(2)
    with pytest.raises(kg.InputError, match="in floats on the scale of its training.*Received: ndarray of uint8"):
        model.encode((255 * data).astype(np.uint8))
    with pytest.raises(kg.InputError, match="images of finite numbers. Received: nan"):
        model.reconstruct(np.full_like(data, np.nan))
    with pytest.raises(kg.InputError, match="at least one sample to compute with. Received: 0"):
        model.reconstruct(data[:0])
    with pytest.raises(kg.InputError, match=r"whole number of steps, at least 2. Received: steps=3\.5"):
        model.interpolate(data[0], data[1], steps=3.5)
    # A latent point is one in any numbers.
    assert_allclose(model.decode([[0, 0, 0]]), model.decode(np.zeros((1, 3), np.float32)))


def test_signatures():
    model = field_vae()
    assert sorted(model.signatures()) == [
        "encode", "predict_properties", "reconstruct", "sample", "sample_for", "serving_default",
    ]  # fmt: skip
    function, specs = model.signatures()["predict_properties"]
    assert [spec.name for spec in specs] == ["coords", "lattice", "mask"]
    sample, told = field_data(2)
    answer = function(tf.constant(sample["coords"]), tf.constant(sample["lattice"]), tf.constant(told["mask"]))
    expected = model.predict_properties(sample, {"mask": told["mask"]})["property"]
    assert_allclose(answer["property"][:, 0], expected, rtol=1e-5)
