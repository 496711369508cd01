import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose

import kmatgen as kg
from kmatgen.diffusion import Field
from kmatgen.diffusion.fields import get_fields


def test_loss_counts_what_exists(rng):
    error = rng.normal(size=(2, 3, 2)).astype(np.float32)
    mask = np.array([[1, 0, 0], [1, 1, 0]], np.float32)
    expected = np.mean([error[0, 0] ** 2, error[1, 0] ** 2, error[1, 1] ** 2])
    assert_allclose(Field(mask="mask").loss(tf.constant(error), {"mask": mask}), expected, rtol=1e-6)
    assert_allclose(Field().loss(tf.constant(error), None, 2.0), 2 * np.mean(error**2), rtol=1e-6)


def test_nothing_that_exists():
    assert Field(mask="mask").loss(tf.ones((2, 3, 2)), {"mask": np.zeros((2, 3))}) == 0.0


def test_nearest_of_a_periodic_field():
    periodic = Field(kg.diffusion.Periodic(4.0))
    # 1.9 and -2.1 are the same place.
    assert_allclose(periodic.nearest(tf.constant([1.9, 1.0]), tf.constant([-1.9, 1.5])), [-2.1, 1.0], rtol=1e-6)
    assert_allclose(Field().nearest(tf.constant([1.9]), tf.constant([-1.9])), [1.9], rtol=1e-6)


def test_fields_by_name():
    fields = get_fields({"coords": {"class_name": "field", "config": {"corruption": "periodic"}}}, ["coords", "cell"])
    assert isinstance(fields["coords"].corruption, kg.diffusion.Periodic)
    assert fields["cell"].corruption is None
    assert get_fields(Field(mask="m"), ["sample"])["sample"].mask == "m"


@pytest.mark.parametrize("fields", [{"colour": Field()}, Field()])
def test_unknown_fields(fields):
    with pytest.raises(kg.InputError, match="Received: "):
        get_fields(fields, ["coords", "cell"])
