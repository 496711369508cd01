import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg
from kmatgen.networks import film_mlp

FIELDS = {"lattice": (2,), "coords": (3, 3)}


def inputs(rng, n=2):
    return {
        "sample": {name: rng.normal(size=(n, *shape)).astype("float32") for name, shape in FIELDS.items()},
        "time": rng.random(n).astype("float32"),
    }


def test_shapes_and_zero_start(rng):
    network = film_mlp(FIELDS, width=8, blocks=2)
    found = network(inputs(rng))
    assert {name: tuple(field.shape) for name, field in found.items()} == {"lattice": (2, 2), "coords": (2, 3, 3)}
    assert_array_equal(found["coords"], np.zeros((2, 3, 3)))
    assert tuple(network.output["lattice"].shape) == (None, 2)


def test_parameters():
    """Of the published size: four blocks of width 256 on 57 numbers."""
    width, numbers, time = 256, 57, 64
    norm = 2 * width * (width + 1)
    block = norm + 2 * width * (width + 1)
    vector = width * (time + 1) + width * (width + 1)
    expected = vector + width * (numbers + 1) + 4 * block + norm + numbers * (width + 1)
    assert film_mlp((numbers,)).count_params() == expected


@pytest.fixture
def conditional(rng):
    gap = {"size": 1, "mean": 3.0, "scale": 2.0}
    network = film_mlp((4,), width=8, blocks=1, condition={"gap": gap, "group": {"classes": 5}})
    network.set_weights([rng.normal(size=weight.shape) for weight in network.get_weights()])

    def call(gap, known, group=0):
        given = {"gap": np.full((1, 1), gap, "float32"), "group": np.array([group], "int32")}
        inputs = {"sample": np.ones((1, 4), "float32"), "time": np.ones(1, "float32"), "condition": given}
        return np.asarray(network({**inputs, "known": np.array([known], "float32")}))

    return call


def test_condition_is_heeded_or_not(conditional):
    assert np.abs(conditional(1.0, 1) - conditional(5.0, 1)).max() > 0.01
    assert np.abs(conditional(1.0, 1, 0) - conditional(1.0, 1, 4)).max() > 0.01
    assert_array_equal(conditional(1.0, 0), conditional(5.0, 0, 4))
    # The mean is 0 to the network, which still knows that it was asked for.
    assert np.abs(conditional(3.0, 1) - conditional(3.0, 0)).max() > 0.01


def test_condition_is_standardised(rng):
    condition = {"gap": {"size": 1, "mean": 3.0, "scale": 2.0}}
    network = film_mlp((4,), width=8, blocks=1, condition=condition)
    assert_allclose(network.get_layer("gap_standardised")(np.array([[1.0], [5.0]])), [[-1], [1]])


def test_round_trip(rng, tmp_path):
    network = film_mlp(FIELDS, width=8, blocks=1)
    network.set_weights([rng.normal(size=weight.shape) for weight in network.get_weights()])
    network.save(tmp_path / "network.keras")
    again, given = keras.saving.load_model(tmp_path / "network.keras"), inputs(rng)
    assert_allclose(again(given)["coords"], network(given)["coords"])


def test_half_precision(rng):
    keras.config.set_dtype_policy("mixed_float16")
    network = film_mlp(FIELDS, width=8, blocks=1)
    assert {field.dtype for field in network.output.values()} == {"float32"}


def test_refuses_no_blocks():
    with pytest.raises(kg.InputError, match=r"Received: width=8, blocks=0"):
        film_mlp((4,), width=8, blocks=0)
