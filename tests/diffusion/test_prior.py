import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_array_equal

import kmatgen as kg
from kmatgen.diffusion import EmpiricalPrior


def conditions(n=6):
    return {"count": np.arange(n), "mask": np.arange(n)[:, None] * np.ones((1, 3))}


def test_rows_are_drawn_together():
    prior = EmpiricalPrior.of(conditions())
    drawn = prior.draw(200, tf.constant([0, 1]))
    assert drawn["count"].dtype == tf.int32
    assert drawn["mask"].dtype == tf.float32
    assert_array_equal(drawn["mask"][:, 0], drawn["count"])
    assert set(drawn["count"].numpy()) == set(range(6))
    assert_array_equal(prior.draw(200, tf.constant([0, 1]))["count"], drawn["count"])


def test_keeps_as_many_as_asked():
    prior = EmpiricalPrior.of(conditions(100), rows=10, seed=1)
    assert prior.rows == 10
    assert len(set(np.asarray(prior.kept["count"]))) == 10


def test_survives_its_configuration():
    prior = EmpiricalPrior.of(conditions())
    again = EmpiricalPrior.from_config(prior.get_config())
    again.set_weights(prior.get_weights())
    assert_array_equal(again.draw(5, tf.constant([0, 1]))["mask"], prior.draw(5, tf.constant([0, 1]))["mask"])
    assert again.trainable_variables == []


@pytest.mark.parametrize("given", [{}, {"a": np.zeros(2), "b": np.zeros(3)}, {"a": np.zeros(0)}])
def test_refuses(given):
    with pytest.raises(kg.InputError, match="Received: "):
        EmpiricalPrior.of(given)
