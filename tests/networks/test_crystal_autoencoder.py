import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen.errors import InputError
from kmatgen.networks import crystal_decoder, crystal_encoder, property_head

SETS = {"lattice": (6,), "species": (5, 2), "coords": (5, 3)}
MASK = {"mask": {"size": 5}}


def crystals(rng, n=2):
    mask = (np.arange(5) < np.array([[3], [5]])).astype("float32")
    sample = {name: rng.normal(size=(n, *shape)).astype("float32") for name, shape in SETS.items()}
    return sample, {"mask": mask}


def test_sets_of_sites(rng):
    encoder = crystal_encoder(SETS, latent_dim=3, width=8, blocks=1, condition=MASK)
    decoder = crystal_decoder(SETS, latent_dim=3, width=8, blocks=1, condition=MASK)
    sample, condition = crystals(rng)
    heads = encoder({"sample": sample, "condition": condition})
    assert {name: tuple(head.shape) for name, head in heads.items()} == {"mean": (2, 3), "log_var": (2, 3)}
    made = decoder({"latent": np.asarray(heads["mean"]), "condition": condition})
    assert {name: tuple(field.shape[1:]) for name, field in made.items()} == SETS
    assert_array_equal(np.abs(made["coords"]).max(axis=2) > 0, condition["mask"] > 0)
    assert sum(isinstance(layer, keras.layers.Conv1D) for layer in encoder.layers) == 3


def test_only_what_is_there_is_seen(rng):
    encoder = crystal_encoder(SETS, latent_dim=3, width=8, blocks=1, period=4.0, condition=MASK)
    sample, condition = crystals(rng)
    means = encoder({"sample": sample, "condition": condition})["mean"]
    there = condition["mask"][..., None]
    # Whole cells do not matter, nor what stands where no site is.
    moved = {**sample, "coords": sample["coords"] + 4.0, "species": np.where(there > 0, sample["species"], 9.0)}
    assert_allclose(encoder({"sample": moved, "condition": condition})["mean"], means, atol=1e-5)
    nearer = {**sample, "coords": sample["coords"] + 1.0}
    assert np.abs(encoder({"sample": nearer, "condition": condition})["mean"] - means).max() > 1e-3


def test_vectors(rng):
    shapes = {"lattice": (1,), "coords": (4,)}
    encoder = crystal_encoder(shapes, latent_dim=3, width=8, blocks=1)
    decoder = crystal_decoder(shapes, latent_dim=3, width=8, blocks=1)
    sample = {name: rng.normal(size=(2, *shape)).astype("float32") for name, shape in shapes.items()}
    made = decoder(encoder(sample)["mean"])
    assert {name: tuple(field.shape[1:]) for name, field in made.items()} == shapes
    assert not any(isinstance(layer, keras.layers.Conv1D) for layer in encoder.layers)


def test_survive_a_file(rng, tmp_path):
    encoder = crystal_encoder(SETS, latent_dim=3, width=8, blocks=1, condition=MASK)
    encoder.save(tmp_path / "encoder.keras")
    sample, condition = crystals(rng)
    given = {"sample": sample, "condition": condition}
    again = keras.saving.load_model(tmp_path / "encoder.keras", compile=False)
    assert_allclose(again(given)["log_var"], encoder(given)["log_var"], rtol=1e-6)


def test_property_head(rng):
    head = property_head(SETS, 3, 4, properties={"heat (eV/atom)": {"size": 1}, "gap": {}})
    answer = head(rng.normal(size=(2, 3)).astype("float32"))
    assert {name: tuple(values.shape) for name, values in answer.items()} == {"heat (eV/atom)": (2, 1), "gap": (2, 1)}
    assert property_head(SETS, 3) is None


def test_refuses():
    with pytest.raises(InputError, match=r"Received: samples of \(64, 64, 1\)"):
        crystal_encoder((64, 64, 1))
    with pytest.raises(InputError, match="latent_dim is at least 1. Received: 0"):
        crystal_decoder(SETS, latent_dim=0)
    with pytest.raises(InputError, match="Received: 3, 0"):
        property_head(SETS, 3, 0, properties={"gap": {}})
