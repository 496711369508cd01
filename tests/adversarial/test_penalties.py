"""Penalties against closed forms: linear and quadratic critics have known gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen.adversarial.gradients import interpolate, squared_gradient_norms
from kmatgen.adversarial.penalties import R1, R2, Drift, GradientPenalty, WeightClipping
from kmatgen.errors import InputError
from tests.adversarial.rounds import linear_critic, make_round, square_critic, with_kernel
from tests.tiny_models import two_replicas

REAL, FAKE = np.array([[1.0, 0.0], [3.0, 4.0]], np.float32), np.array([[0.0, 2.0], [0.5, 0.0]], np.float32)


@pytest.mark.parametrize(
    ("term", "critic", "expected"),
    [
        # |w| = 5 everywhere.
        (GradientPenalty(), linear_critic([3, 4]), 16.0),
        (GradientPenalty(target=2.0), linear_critic([3, 4]), 9.0),
        (GradientPenalty(one_sided=True), linear_critic([3, 4]), 16.0),
        (GradientPenalty(), linear_critic([0.3, 0.4]), 0.25),
        (GradientPenalty(one_sided=True), linear_critic([0.3, 0.4]), 0.0),
        (R1(), linear_critic([3, 4]), 12.5),
        (R2(), linear_critic([3, 4]), 12.5),
        # The gradient is 2 x: |x| is 1 and 5 for real samples, 2 and 0.5 for fake ones.
        (R1(), square_critic(2), 0.5 * (4 * 1 + 4 * 25) / 2),
        (R2(), square_critic(2), 0.5 * (4 * 4 + 4 * 0.25) / 2),
        # Scores 3 and 25 of real samples.
        (Drift(), linear_critic([3, 4]), (9 + 625) / 2),
    ],
)
def test_numbers(term, critic, expected):
    round = make_round(REAL, FAKE, critic)
    assert_allclose(term.d_loss(round), expected, rtol=1e-5, atol=1e-9)
    assert_allclose(tf.function(term.d_loss)(round), expected, rtol=1e-5, atol=1e-9)


def test_gradient_penalty_between_equal_samples():
    """Where real and fake coincide, so do all points between: norms 2 and 10 of the quadratic critic."""
    round = make_round(REAL, REAL, square_critic(2))
    assert_allclose(GradientPenalty().d_loss(round), (1 + 81) / 2, rtol=1e-5)
    assert_allclose(GradientPenalty(one_sided=True, target=3.0).d_loss(round), (0 + 49) / 2, rtol=1e-5)


def test_gradient_penalty_at_random_points_between():
    """Between 0 and |x| = 1 the quadratic critic's norm is 2 u with u uniform: E (2 u - 1)^2 = 1/3."""
    real = np.tile(np.array([[0.6, 0.8]], np.float32), (3000, 1))
    round = make_round(real, 0 * real, square_critic(2))
    assert_allclose(GradientPenalty().d_loss(round), 1 / 3, atol=0.02)
    # XLA, the default on a GPU, draws other points from the same seed.
    compiled = tf.function(lambda: GradientPenalty().d_loss(round), jit_compile=True)
    assert_allclose(compiled(), 1 / 3, atol=0.02)


def test_interpolate_is_uniform_per_sample_and_shared_by_fields():
    ones = {"image": tf.ones((400, 3, 3, 1)), "lattice": tf.ones((400, 6))}
    between = interpolate(ones, keras.tree.map_structure(tf.zeros_like, ones), tf.constant([3, 4]))
    share = between["lattice"].numpy()[:, 0]
    assert_array_equal(between["lattice"], np.repeat(share[:, None], 6, 1))
    assert_array_equal(between["image"], np.broadcast_to(share[:, None, None, None], (400, 3, 3, 1)))
    assert_allclose(np.quantile(share, [0, 0.25, 0.5, 0.75, 1]), [0, 0.25, 0.5, 0.75, 1], atol=0.06)
    assert len(np.unique(share)) == 400


def test_norm_is_joint_over_fields():
    """Gradients (3,) and (4, 12) make a norm of 13; a field that the score ignores makes none."""
    fields = {name: keras.Input((size,), name=name) for name, size in {"a": 1, "b": 2, "ignored": 2}.items()}
    one, two = keras.layers.Dense(1), keras.layers.Dense(1)
    critic = keras.Model(fields, keras.ops.add(one(fields["a"]), two(fields["b"])))
    with_kernel(one, [3]), with_kernel(two, [4, 12])
    sample = {"a": np.ones((2, 1), np.float32), "b": np.ones((2, 2), np.float32), "ignored": np.ones((2, 2))}
    round = make_round(sample, keras.tree.map_structure(lambda field: -field, sample), critic)
    assert_allclose(GradientPenalty().d_loss(round), 144.0, rtol=1e-6)
    assert_allclose(R1().d_loss(round), 84.5, rtol=1e-6)


def patch_critic(weight, size=64):
    """Each pixel times a weight, averaged over the image: a gradient of weight / pixels in each."""
    image = keras.Input((size, size, 1))
    layer = keras.layers.Conv2D(1, 1, use_bias=False)
    mean = keras.layers.GlobalAveragePooling2D()(layer(image))
    critic = keras.Model(image, keras.layers.Activation("linear", dtype="float32")(mean))
    with_kernel(layer, [weight])
    return critic


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_small_gradients_survive_float16(policy):
    """A pixel's gradient of 2^-26 rounds to zero in float16; the norm over 2^12 pixels is 2^-20."""
    keras.config.set_dtype_policy(policy)
    image = np.full((2, 64, 64, 1), 0.5, np.float32)
    assert np.float16(2.0**-26) == 0
    round = make_round(image, image, patch_critic(2.0**-14))
    assert round.real_outputs["score"].dtype == tf.float32
    assert_allclose(R1().d_loss(round), 0.5 * 2.0**-40, rtol=1e-3)


def test_patch_scores_are_averaged():
    """The score of a map is its mean: the gradient of the mean of 4 x 4 patches of weight 8 is 8 / 16 a pixel."""
    image = keras.Input((4, 4, 1))
    layer = keras.layers.Conv2D(1, 1, use_bias=False)
    critic = keras.Model(image, layer(image))
    with_kernel(layer, [8])
    ones = np.ones((3, 4, 4, 1), np.float32)
    assert_allclose(GradientPenalty().d_loss(make_round(ones, ones, critic)), (2 - 1) ** 2, rtol=1e-6)


def test_condition_reaches_the_critic():
    """A critic `c * sum(x)` has the gradient norm `c sqrt(2)`."""
    inputs = {"sample": keras.Input((2,), name="sample"), "condition": keras.Input((1,), name="condition")}
    score = keras.ops.sum(inputs["sample"], axis=-1, keepdims=True) * inputs["condition"]
    round = make_round(REAL, FAKE, keras.Model(inputs, score), condition=np.array([[1.0], [3.0]], np.float32))
    assert_allclose(R1().d_loss(round), 0.5 * (2 + 18) / 2, rtol=1e-6)


@pytest.mark.parametrize("term", [GradientPenalty(), R1(), R2()], ids=lambda term: term.name)
def test_zero_gradient_has_finite_weight_gradients(term):
    critic = linear_critic([0, 0])
    round = make_round(REAL, FAKE, critic)
    with tf.GradientTape() as tape:
        value = term.d_loss(round)
    assert_allclose(value, 1.0 if isinstance(term, GradientPenalty) else 0.0, rtol=1e-5)
    assert_array_equal(tape.gradient(value, critic.layers[1].kernel.value), [[0], [0]])


def test_weight_gradient_against_differences(rng):
    """Twice differentiated, through nearest up-sampling, average pooling and a transposed convolution."""
    image = keras.Input((4, 4, 1))
    first = keras.layers.Conv2D(3, 3, activation="tanh")
    hidden = keras.layers.UpSampling2D()(first(image))
    hidden = keras.layers.Conv2DTranspose(2, 3, strides=2, activation="tanh")(hidden)
    hidden = keras.layers.AveragePooling2D(3)(hidden)
    critic = keras.Model(image, keras.layers.Dense(1)(keras.layers.Flatten()(hidden)))
    GradientPenalty().check(None, critic)
    round = make_round(*(rng.normal(size=(2, 2, 4, 4, 1)).astype(np.float32)), critic)
    kernel = first.kernel.numpy()
    step = 1e-2 * rng.normal(size=kernel.shape).astype(np.float32)
    with tf.GradientTape() as tape:
        value = GradientPenalty().d_loss(round)
    slope = np.sum(tape.gradient(value, first.kernel.value) * step)
    values = []
    for sign in (1, -1):
        first.kernel.assign(kernel + sign * step)
        values.append(float(GradientPenalty().d_loss(round)))
    assert_allclose(slope, (values[0] - values[1]) / 2, rtol=5e-3)


def critic_with(*layers):
    return keras.Sequential([keras.Input((4, 4, 1)), *layers, keras.layers.Flatten(), keras.layers.Dense(1)])


def resize_operation():
    image = keras.Input((4, 4, 1))
    return keras.Model(image, keras.ops.image.resize(image, (8, 8), interpolation="bilinear"))


def bilinear():
    return keras.layers.UpSampling2D(interpolation="bilinear", name="smooth")


@pytest.mark.parametrize("term", [GradientPenalty(), R1(), R2()], ids=lambda term: term.name)
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: critic_with(bilinear()), "'smooth'.*Received: UpSampling2D with interpolation='bilinear'"),
        (lambda: critic_with(keras.Sequential([keras.Input((4, 4, 1)), bilinear()])), "'smooth'"),
        (lambda: critic_with(keras.layers.Resizing(8, 8, name="resized")), "'resized'.*Received: Resizing"),
        # TensorFlow has no second derivative for it at all.
        (lambda: critic_with(keras.layers.Resizing(8, 8, "nearest")), "interpolation='nearest'"),
        (lambda: critic_with(keras.layers.RandomRotation(0.1)), "Received: RandomRotation"),
        (resize_operation, "Received: Resize with"),
    ],
)
def test_interpolation_is_refused(term, make, message):
    with pytest.raises(InputError, match=message):
        term.check(None, make())


def test_batch_normalisation_is_refused():
    critic = critic_with(keras.Sequential([keras.Input((4, 4, 1)), keras.layers.BatchNormalization(name="norm")]))
    with pytest.raises(InputError, match="LayerNormalization.*Received: the layer 'norm'"):
        GradientPenalty().check(None, critic)
    R1().check(None, critic)
    GradientPenalty().check(None, critic_with(keras.layers.LayerNormalization(), keras.layers.UpSampling2D()))


def test_integer_samples_are_refused():
    species = np.array([[1, 2]])
    with pytest.raises(InputError, match="one-hot. Received: int64"):
        GradientPenalty().d_loss(make_round(species, species))


def clipped_critic():
    critic = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2), keras.layers.LayerNormalization()])
    critic.layers[0].kernel.assign([[-1.0, 0.005], [0.3, -0.02]])
    critic.layers[0].bias.assign([1.0, 0.0])
    return critic


def assert_clipped(critic):
    assert_allclose(critic.layers[0].kernel, [[-0.01, 0.005], [0.01, -0.01]])
    assert_allclose(critic.layers[0].bias, [0.01, 0.0])
    assert_array_equal(critic.layers[1].gamma, [1, 1])


def test_weight_clipping():
    critic = clipped_critic()
    WeightClipping().after_d_step(critic)
    assert_clipped(critic)


def test_weight_clipping_on_two_replicas():
    strategy = two_replicas()
    with strategy.scope():
        critic = clipped_critic()
    tf.function(lambda: strategy.run(WeightClipping().after_d_step, (critic,)))()
    assert_clipped(critic)


def test_arguments_are_checked():
    with pytest.raises(InputError, match="target to be a finite number of at least 0. Received: target=-1"):
        GradientPenalty(target=-1)
    with pytest.raises(InputError, match="limit to be a finite number above 0. Received: limit=0"):
        WeightClipping(0)


def test_scale_leaves_float32_bits_alone():
    """The scale of the inner gradient is a power of two."""
    critic, sample = linear_critic([0.1, 0.7]), tf.constant(REAL)
    norms = squared_gradient_norms(make_round(REAL, FAKE, critic).discriminate, sample)
    weights = np.array([0.1, 0.7], np.float32)
    assert_array_equal(norms, np.full(2, np.sum(weights * weights)))
