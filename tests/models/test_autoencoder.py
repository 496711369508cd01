import keras
import pytest

import kmatgen as kg
from tests.tiny_models import SHAPE, conv_networks, field_vae


def test_networks_that_do_not_fit():
    plain, heads = (kg.networks.conv_encoder(SHAPE, 3, (4,), variational=v) for v in (False, True))
    decoder = kg.networks.conv_decoder(SHAPE, 3, (4,))
    with pytest.raises(kg.InputError, match="outputs 'mean' and 'log_var'. Received: one output"):
        kg.VAE(plain, decoder)
    with pytest.raises(kg.InputError, match="one output, the latent point"):
        kg.Autoencoder(heads, decoder)
    with pytest.raises(kg.InputError, match=r"Received: a decoder of \(None, 4\)"):
        kg.VAE(heads, kg.networks.conv_decoder(SHAPE, 4, (4,)))
    with pytest.raises(kg.InputError, match=r"Received: a decoder to \(None, 16, 16, 3\)"):
        kg.VAE(heads, kg.networks.conv_decoder((16, 16, 3), 3, (4,)))
    with pytest.raises(kg.InputError, match="encoder is a functional keras.Model"):
        kg.VAE("encoder", decoder)


def test_autoencoder_cannot_generate():
    model = kg.Autoencoder(**conv_networks(False))
    with pytest.raises(kg.InputError, match="has no prior"):
        model.generate(4)
    assert sorted(model.signatures()) == ["encode", "reconstruct", "serving_default"]


def test_conditions_that_do_not_fit():
    model = field_vae()
    latent, sample = keras.Input((3,), name="latent"), model.sample_spec
    coords = keras.layers.Reshape((4, 3))(keras.layers.Dense(12)(latent))
    blind = keras.Model(latent, {"coords": coords, "lattice": keras.layers.Dense(2)(latent)})
    assert set(blind.output) == set(sample)
    with pytest.raises(kg.InputError, match="needs a decoder that takes the same"):
        kg.VAE(model.encoder, blind)
