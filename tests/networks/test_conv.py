import numpy as np
import pytest
from numpy.testing import assert_allclose

import kmatgen as kg
from kmatgen.networks import conv_decoder, conv_encoder

COLOUR = (64, 64, 3)
# The published totals: latent dimension, encoder filters, decoder filters, parameters.
PUBLISHED = [
    (2, (16, 32, 64, 128), (128, 64, 32, 16), 98_087),
    (4, (16, 32, 64, 128), (128, 64, 32, 16), 103_723),
    (8, (16, 32, 64, 128), (128, 64, 32, 16), 114_995),
    (16, (16, 32, 64, 128), (128, 64, 32, 16), 137_539),
    (32, (16, 32, 64, 128), (128, 64, 32, 16), 182_627),
    (16, (16, 32), (32, 16), 244_931),
    (16, (16, 32, 64), (64, 32, 16), 132_675),
]


@pytest.mark.parametrize(("latent_dim", "down", "up", "parameters"), PUBLISHED)
def test_published_parameter_counts(latent_dim, down, up, parameters):
    encoder, decoder = conv_encoder(COLOUR, latent_dim, down), conv_decoder(COLOUR, latent_dim, up)
    assert encoder.count_params() + decoder.count_params() == parameters


@pytest.mark.parametrize("shape", [(16, 16, 1), (32, 32, 4), (128, 128, 2), (32, 64, 1), (64, 16, 3)])
def test_any_power_of_two(shape):
    encoder, decoder = conv_encoder(shape, 5), conv_decoder(shape, 5)
    posterior = encoder(np.zeros((2, *shape), np.float32))
    assert {name: tuple(value.shape) for name, value in posterior.items()} == {"mean": (2, 5), "log_var": (2, 5)}
    assert tuple(decoder(posterior["mean"]).shape) == (2, *shape)


def test_statistics_follow_within_a_few_epochs_of_a_small_set(rng):
    """After 120 steps the decoder does in inference what it did in training; reconstructions are grey otherwise."""
    decoder = conv_decoder((16, 16, 1), 5)
    latent = rng.normal(size=(32, 5)).astype(np.float32)
    for _ in range(120):
        trained = decoder(latent, training=True).numpy()
    assert_allclose(decoder(latent, training=False), trained, atol=0.02 * trained.std())


def test_one_head_without_sampling():
    assert tuple(conv_encoder((16, 16, 1), 5, variational=False).output.shape) == (None, 5)


@pytest.mark.parametrize("builder", [conv_encoder, conv_decoder])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((48, 48, 1),), r"powers of two.*Received: \(48, 48, 1\)"),
        (((8, 8, 1),), r"from 16 up.*Received: \(8, 8, 1\)"),
        (((64, 64),), r"Received: \(64, 64\)"),
        (((64, 64, 1), 0), r"latent_dim.*Received: 0"),
        (((64, 64, 1), 4, ()), r"filters.*Received: \(\)"),
    ],
)
def test_bad_arguments(builder, arguments, message):
    with pytest.raises(kg.InputError, match=message):
        builder(*arguments)
