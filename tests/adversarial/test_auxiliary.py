"""Auxiliary terms against numbers worked out by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen.adversarial.auxiliary import (
    AuxiliaryClassifier,
    FeatureMatching,
    MutualInformation,
    TargetL1,
    draw_codes,
)
from kmatgen.errors import InputError
from tests.adversarial.rounds import make_round
from tests.tiny_models import two_replicas

# Probabilities 1/4 and 3/4, for the classes 1 and 0: (log 4/3 + log 4) / 2.
LOGITS = np.array([[0.0, np.log(3.0)]] * 2, np.float32)
EVEN = np.zeros((2, 2), np.float32)
CROSS_ENTROPY, LOG2 = (0.287682 + 1.386294) / 2, 0.693147
LABELS = {
    "ids": np.array([1, 0]),
    "column": np.array([[1], [0]]),
    "float ids": np.array([[1.0], [0.0]], np.float32),
    "one-hot": np.array([[0.0, 1.0], [1.0, 0.0]], np.float32),
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_auxiliary_classifier(labels):
    outputs = {"real_outputs": {"class_logits": LOGITS}, "fake_outputs": {"class_logits": EVEN}}
    round = make_round(condition=labels, **outputs)
    assert_allclose(AuxiliaryClassifier().d_loss(round), CROSS_ENTROPY + LOG2, rtol=1e-5)
    assert_allclose(AuxiliaryClassifier(fake=False).d_loss(round), CROSS_ENTROPY, rtol=1e-5)
    assert_allclose(AuxiliaryClassifier().g_loss(round), LOG2, rtol=1e-5)
    among_others = make_round(condition={"class": labels, "energy": EVEN}, **outputs)
    assert_allclose(AuxiliaryClassifier(field="class").d_loss(among_others), CROSS_ENTROPY + LOG2, rtol=1e-5)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (None, "needs a condition.*Received: None"),
        (np.zeros((2, 3)), r"one-hot of shape \(batch, 2\). Received: shape \(2, 3\)"),
        ({"a": np.zeros(2)}, r"field=None.*Received: the fields \['a'\]"),
    ],
)
def test_auxiliary_classifier_refuses(condition, message):
    round = make_round(condition=condition, fake_outputs={"class_logits": EVEN})
    with pytest.raises(InputError, match=message):
        AuxiliaryClassifier().g_loss(round)


# Errors of the codes (1, -2) and (0, 2): squares summed 5 and 4, halved, averaged: 2.25.
CODE, MEAN = np.array([[1.0, 0.0], [0.5, 1.0]], np.float32), np.array([[0.0, 2.0], [0.5, -1.0]], np.float32)
CONDITIONS = {
    "array": np.concatenate([LABELS["one-hot"], CODE], axis=1),
    "dict of ids": {"category": LABELS["ids"], "code": CODE},
    "dict of one-hot": {"category": LABELS["one-hot"], "code": CODE},
}


def information_round(condition):
    outputs = {"code_logits": LOGITS, "code_mean": MEAN}
    return make_round(inputs={"noise": EVEN, "condition": condition}, fake_outputs=outputs)


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)
def test_mutual_information(condition):
    term, round = MutualInformation(categorical=2), information_round(condition)
    assert term.requires == ("code_logits", "code_mean")
    assert_allclose(term.d_loss(round), CROSS_ENTROPY + 2.25, rtol=1e-6)
    assert_allclose(term.g_loss(round), CROSS_ENTROPY + 2.25, rtol=1e-6)
    wide = MutualInformation(categorical=2, deviation=2.0)
    assert_allclose(wide.d_loss(round), CROSS_ENTROPY + 2.25 / 4, rtol=1e-6)


def test_mutual_information_of_one_kind():
    category, code = MutualInformation(categorical=2, continuous=0), MutualInformation(categorical=0)
    assert (category.requires, code.requires) == (("code_logits",), ("code_mean",))
    assert_allclose(category.d_loss(information_round(LABELS["one-hot"])), CROSS_ENTROPY, rtol=1e-6)
    assert_allclose(code.d_loss(information_round(CODE)), 2.25, rtol=1e-6)
    assert_allclose(code.d_loss(information_round({"code": CODE})), 2.25, rtol=1e-6)


def test_mutual_information_sizes():
    """A single code may lack its axis; other sizes are refused, not broadcast."""
    term = MutualInformation(categorical=0, continuous=1)
    outputs = {"code_mean": MEAN[:, :1]}
    for code in (CODE[:, 0], CODE[:, :1]):
        round = make_round(inputs={"condition": {"code": code}}, fake_outputs=outputs)
        assert_allclose(term.d_loss(round), 0.5 * (1 + 0) / 2)
    with pytest.raises(tf.errors.InvalidArgumentError, match="not compatible"):
        term.d_loss(make_round(inputs={"condition": {"code": CODE}}, fake_outputs=outputs))
    sample = keras.Input((4,))
    critic = keras.Model(sample, {"score": sample[:, :1], "code_mean": sample[:, :3]})
    MutualInformation(categorical=0, continuous=3).check(None, critic)
    with pytest.raises(InputError, match=r"'code_mean'.*\(batch, 2\). Received: shape \(None, 3\)"):
        MutualInformation(categorical=0).check(None, critic)


@pytest.mark.parametrize("inputs", [EVEN, {"noise": EVEN}, {"condition": EVEN}, {"condition": {"code": CODE}}])
def test_mutual_information_needs_the_code(inputs):
    with pytest.raises(InputError, match=r"shape \(batch, 4\).*Received"):
        MutualInformation(categorical=2).d_loss(make_round(inputs=inputs))


@pytest.mark.parametrize(
    "arguments", [{"categorical": 0, "continuous": 0}, {"categorical": -1}, {"continuous": 0.5}, {"deviation": 0}]
)
def test_mutual_information_refuses(arguments):
    with pytest.raises(InputError, match="Received"):
        MutualInformation(**arguments)


def test_draw_codes():
    codes = draw_codes(3000, tf.constant([1, 2]), categorical=3, continuous=2).numpy()
    assert codes.shape == (3000, 5)
    assert_array_equal(codes[:, :3].sum(1), 1)
    assert_allclose(codes[:, :3].mean(0), 1 / 3, atol=0.03)
    assert_allclose(np.quantile(codes[:, 3:], [0, 0.25, 0.5, 0.75, 1]), [-1, -0.5, 0, 0.5, 1], atol=0.05)
    assert_allclose(np.corrcoef(codes[:, 3:].T)[0, 1], 0, atol=0.05)


def test_feature_matching():
    """Means (2, 3) and (0, 1): 4 + 4, whatever the shape of the features."""
    real, fake = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[0.0, 0.0], [0.0, 2.0]])
    for shape in ((2, 2), (2, 1, 2, 1)):
        outputs = ({"features": array.reshape(shape).astype(np.float32)} for array in (real, fake))
        round = make_round(**dict(zip(("real_outputs", "fake_outputs"), outputs, strict=True)))
        assert_allclose(FeatureMatching().g_loss(round), 8.0)


def test_feature_matching_is_over_all_replicas():
    """Each replica's own means, squared, would give (3, 4)^2 / 2 more than the joint mean of 0."""
    strategy = two_replicas()

    def one_replica():
        here = tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group, tf.float32)
        real = tf.constant([[3.0, 4.0]]) * (2.0 * here - 1.0)
        round = make_round(real_outputs={"features": real}, fake_outputs={"features": tf.zeros((1, 2))})
        return FeatureMatching().g_loss(round)

    values = strategy.experimental_local_results(tf.function(lambda: strategy.run(one_replica))())
    assert_array_equal(values, [0, 0])


def test_target_l1():
    """|1 - 3|, |2 - 2|, ...: a mean of 1; a second field whose mean is 0.5 is added."""
    real, fake = np.array([[1.0, 2.0], [0.0, 0.0]], np.float32), np.array([[3.0, 2.0], [1.0, -1.0]], np.float32)
    assert_allclose(TargetL1().g_loss(make_round(real, fake)), 1.0)
    round = make_round({"a": real, "b": np.zeros((2, 1, 1))}, {"a": fake, "b": np.array([[[1.0]], [[0.0]]])})
    assert_allclose(TargetL1().g_loss(round), 1.5)
    with pytest.raises(tf.errors.InvalidArgumentError, match="not compatible"):
        TargetL1().g_loss(make_round(real[:, :1], fake))
