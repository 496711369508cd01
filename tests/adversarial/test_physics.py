"""Volume fraction and two-point correlation against closed forms and direct loops."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

from kmatgen.adversarial.correlation import two_point_correlation
from kmatgen.adversarial.physics import TwoPointCorrelation, VolumeFraction
from kmatgen.errors import InputError
from kmatgen.metrics.correlation import lags
from tests.adversarial.rounds import make_round
from tests.tiny_models import two_replicas


def by_pairs(image, periodic):
    """S2 of one image by its definition: go through all pairs of pixels."""
    found = np.zeros(image.shape)
    for place in np.ndindex(image.shape):
        vector = np.array([lags(edge)[index] for edge, index in zip(image.shape, place, strict=True)])
        products = []
        for start in itertools.product(*map(range, image.shape)):
            end = np.array(start) + vector
            if periodic:
                end %= image.shape
            if np.all(end >= 0) and np.all(end < image.shape):
                products.append(image[start] * image[tuple(end)])
        found[place] = np.mean(products)
    return found


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("shape", [(4, 6), (5, 4), (4, 3, 5)])
def test_against_all_pairs(shape, periodic, rng):
    images = rng.random((2, *shape)).astype(np.float32)
    expected = [by_pairs(image, periodic) for image in images.astype(np.float64)]
    assert_allclose(two_point_correlation(images, periodic), expected, rtol=2e-5)


def test_checkerboard():
    """Half where the steps to the other end are even in number, else nothing."""
    steps = np.add.outer(np.arange(6), np.arange(6)) % 2
    assert_allclose(two_point_correlation(1.0 - steps[None])[0], (1 - steps) / 2, atol=1e-6)


@pytest.mark.parametrize("periodic", [True, False])
def test_uncorrelated_noise(periodic, rng):
    """S2(0) is the fraction, and everywhere else its square."""
    noise = rng.random((64, 32, 32)) < 0.3
    correlation = np.mean(two_point_correlation(noise.astype(np.float32), periodic), axis=0)
    assert_allclose(correlation[0, 0], 0.3, atol=0.01)
    assert_allclose(np.delete(correlation.ravel(), 0), 0.09, atol=0.02 if not periodic else 0.01)


@pytest.mark.parametrize("shape", [(2, 4), (2, 4, 4, 4, 1), (2, None, 4)])
def test_correlation_refuses(shape):
    with pytest.raises(InputError, match="Received: shape"):
        two_point_correlation(keras.KerasTensor(shape))


def test_float16_images_are_computed_in_float32():
    """The sum over 256 x 256 pixels, 65536, is beyond float16."""
    correlation = two_point_correlation(tf.ones((1, 256, 256), tf.float16))
    assert correlation.dtype == tf.float32
    assert_allclose(correlation, np.ones((1, 256, 256)), rtol=1e-5)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 2, 3, 2)])
def test_two_point_gradient(shape, periodic, rng):
    """Value and gradient against the definition and its differences in double precision."""
    real, fake = rng.random((*shape, 1)), rng.random((*shape, 1))

    def defined(images):
        ours, theirs = (np.mean([by_pairs(one[..., 0], periodic) for one in batch], 0) for batch in (images, real))
        return np.mean((ours - theirs) ** 2)

    tensor = tf.constant(fake, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        value = TwoPointCorrelation(periodic=periodic).g_loss(make_round(real.astype(np.float32), tensor))
    assert_allclose(value, defined(fake), rtol=1e-5)
    gradient = tape.gradient(value, tensor).numpy()
    for place in ((0, 0, 0), (1, 1, 2), (1, 0, 1)):
        step = np.zeros_like(fake)
        step[place] = 1e-4
        difference = (defined(fake + step) - defined(fake - step)) / 2e-4
        assert_allclose(np.sum(gradient[place]), difference, rtol=1e-4, atol=1e-7)


def test_two_point_reads_one_channel_of_one_field(rng):
    real, fake = ({"image": rng.random((2, 4, 4, 2)).astype(np.float32)} for _ in range(2))
    alone = make_round(real["image"][..., 1:], fake["image"][..., 1:])
    expected = TwoPointCorrelation().g_loss(alone)
    assert_allclose(TwoPointCorrelation(channel=1, field="image").g_loss(make_round(real, fake)), expected)


def blank(*fractions):
    """Images of one value each."""
    return np.array(fractions, np.float32).reshape(-1, 1, 1, 1) * np.ones((1, 2, 2, 1), np.float32)


@pytest.mark.parametrize(
    ("arguments", "condition", "expected"),
    [
        # Generated 0.2 and 0.6, real 0.5 and 0.9: (0.4 - 0.7)^2.
        ({}, None, 0.09),
        ({"column": 0}, np.array([0.1, 0.4]), (0.01 + 0.04) / 2),
        ({"column": 0}, np.array([[0.1], [0.4]]), (0.01 + 0.04) / 2),
        ({"column": 1}, np.array([[7, 0.1], [7, 0.4]]), (0.01 + 0.04) / 2),
        ({"column": "fraction"}, {"fraction": np.array([0.1, 0.4]), "other": np.array([7, 7])}, (0.01 + 0.04) / 2),
        # sigmoid(-log 3) = 1/4 and sigmoid(log 3) = 3/4, against 1/2.
        ({"threshold": 0.4, "width": 0.2 / np.log(3), "column": 0}, np.array([0.5, 0.5]), 0.0625),
    ],
)
def test_volume_fraction(arguments, condition, expected):
    round = make_round(blank(0.5, 0.9), blank(0.2, 0.6), condition=condition)
    assert_allclose(VolumeFraction(**arguments).g_loss(round), expected, rtol=1e-5)


def test_volume_fraction_of_a_phase():
    """Phase 2 of three fills 0.3 of the volume; more pixels, of all three axes, do not change that."""
    fake = {"volume": np.broadcast_to(np.array([0.5, 0.2, 0.3], np.float32), (2, 3, 2, 2, 3))}
    round = make_round(fake=fake, condition=np.array([0.1, 0.1], np.float32))
    assert_allclose(VolumeFraction(phase=2, field="volume", column=0).g_loss(round), 0.04, rtol=1e-5)


def test_volume_fraction_threshold_has_a_gradient():
    """d phi / d value = phi (1 - phi) / width at each pixel, over the number of pixels: 1/4 / 0.05 / 4."""
    image = tf.constant(blank(0.5))
    with tf.GradientTape() as tape:
        tape.watch(image)
        fraction = VolumeFraction(threshold=0.5).fraction(image)
    assert_allclose(fraction, [0.5])
    assert_allclose(tape.gradient(fraction, image), np.full((1, 2, 2, 1), 1.25), rtol=1e-6)


def test_volume_fraction_is_over_all_replicas():
    """Replicas of fractions 0.2 and 0.6 against 0.5 and 0.9 are one batch."""
    strategy = two_replicas()

    def one_replica():
        here = tf.distribute.get_replica_context().replica_id_in_sync_group
        real, fake = (tf.gather(blank(*values), [here]) for values in ((0.5, 0.9), (0.2, 0.6)))
        return VolumeFraction().g_loss(make_round(real, fake))

    values = strategy.experimental_local_results(tf.function(lambda: strategy.run(one_replica))())
    assert_allclose(values, [0.09, 0.09], rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: VolumeFraction(phase=-1), "Received: phase=-1"),
        (lambda: VolumeFraction(width=0), "Received: width=0"),
        (lambda: VolumeFraction(threshold="otsu"), "Received: threshold='otsu'"),
        (lambda: VolumeFraction(column=-1), "Received: column=-1"),
        (lambda: TwoPointCorrelation(channel=1.5), "Received: channel=1.5"),
    ],
)
def test_arguments_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_condition_is_refused():
    sample = blank(0.5, 0.9)
    with pytest.raises(InputError, match="needs a condition.*Received: None"):
        VolumeFraction(column=0).g_loss(make_round(sample, sample))
    with pytest.raises(InputError, match=r"column=2.*Received: shape \(2, 2\)"):
        VolumeFraction(column=2).g_loss(make_round(sample, sample, condition=np.zeros((2, 2))))


def test_check_refuses_generators_without_the_image():
    noise = keras.Input((4,))
    flat = keras.Model(noise, keras.layers.Dense(8)(noise))
    image = keras.Model(noise, keras.layers.Reshape((2, 2, 1))(noise))
    several = keras.Model(noise, {"image": image(noise), "lattice": flat(noise)})
    TwoPointCorrelation().check(image, None)
    VolumeFraction(field="image").check(several, None)
    for term, generator, received in (
        (TwoPointCorrelation(), flat, r"shape \(None, 8\)"),
        (TwoPointCorrelation(channel=1), image, r"shape \(None, 2, 2, 1\)"),
        (VolumeFraction(), several, r"the fields \['image', 'lattice'\]"),
        (VolumeFraction(field="image"), image, "one tensor"),
    ):
        with pytest.raises(InputError, match=f"Received: {received}"):
            term.check(generator, None)
