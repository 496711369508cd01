import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

import kmatgen as kg


def random_inputs(network, rng):
    return {
        name: rng.integers(0, 2, 2) if tensor.dtype == "int32" else rng.random((2, *tensor.shape[1:])).astype("float32")
        for name, tensor in network.input.items()
    }


def waken(network, rng):
    """Weights other than the first zeros."""
    network.set_weights([rng.normal(0, 0.3, weight.shape) for weight in network.get_weights()])
    return network


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((16, 2), {"condition": {"size": 3}}),
        ((16, 8, 3), {"patch": 2, "condition": {"classes": 2}}),
        ((8, 8, 8, 1), {"blocks": 2, "attention": False}),
    ],
)
def test_shapes(shape, options, rng):
    network = kg.networks.unet(shape, (4, 8), embedding=8, **options)
    inputs = random_inputs(network, rng)
    assert set(inputs) == {"sample", "time"} | ({"condition", "known"} if "condition" in options else set())
    found = network(inputs)
    assert_allclose(found, np.zeros((2, *shape)))
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    assert np.abs(waken(network, rng)(inputs)).max() > 1e-3


def test_the_default_is_small():
    assert 0.5e6 < kg.networks.unet((64, 64, 1)).count_params() < 1.6e6


def test_periodic_commutes_with_shifts(rng):
    network = waken(kg.networks.unet((16, 16, 1), (4, 8), embedding=8, periodic=True), rng)
    inputs = random_inputs(network, rng)
    shifted = {**inputs, "sample": np.roll(inputs["sample"], 4, axis=1)}
    assert_allclose(network(shifted), np.roll(network(inputs), 4, axis=1), atol=1e-4)


def test_patches_are_put_in_place(rng):
    """A prediction whose channels are a patch's pixels becomes that patch."""
    network = kg.networks.unet((4, 4, 1), (4,), patch=2, embedding=8)
    pixels = rng.normal(size=4)
    weights = network.get_weights()
    weights[-1] = pixels
    network.set_weights(weights)
    found = network(random_inputs(network, rng)).numpy()[0, :, :, 0]
    assert_allclose(found, np.tile(pixels.reshape(2, 2), (2, 2)), rtol=1e-6)


def test_known_switches_the_condition_off(rng):
    network = waken(kg.networks.unet((8, 1), (4,), embedding=8, condition={"size": 2}, attention=False), rng)
    inputs = random_inputs(network, rng)
    other = {**inputs, "condition": inputs["condition"] + 1}
    assert np.abs(network(inputs) - network(other)).max() > 1e-3
    off = {"known": np.zeros(2, "float32")}
    assert_allclose(network({**inputs, **off}), network({**other, **off}))


@pytest.mark.parametrize(
    ("shape", "options"), [((12, 12, 1), {}), ((16, 16, 1), {"filters": (0, 4)}), ((16,), {}), ((8, 8, 8, 8, 1), {})]
)
def test_refuses(shape, options):
    with pytest.raises(kg.InputError, match="Received: "):
        kg.networks.unet(shape, **{"filters": (4, 4, 4, 4), **options})


def test_image_scaling():
    values = np.array([-1.5, -1.0, 0.0, 0.5, 2.0], np.float32).reshape(1, 5, 1)
    assert_allclose(kg.networks.image_decoder((5, 1))(values).numpy().ravel(), [0, 0, 0.5, 0.75, 1], atol=1e-6)
    back = kg.networks.image_encoder((5, 1))(kg.networks.image_decoder((5, 1))(values))
    assert_allclose(back, np.clip(values, -1, 1), atol=1e-6)
