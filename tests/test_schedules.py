import keras
import pytest
from numpy.testing import assert_allclose

import kmatgen as kg
from kmatgen.schedules import Cyclical, LinearWarmup


def test_linear_warmup_by_hand():
    schedule = LinearWarmup(0.4, 4)
    assert_allclose([schedule(step) for step in (0, 1, 2, 4, 9)], [0, 0.1, 0.2, 0.4, 0.4], rtol=1e-6)


def test_cyclical_by_hand():
    schedule = Cyclical(1.0, 8, ramp=0.5)
    assert_allclose([schedule(step) for step in (0, 1, 4, 7, 8, 10)], [0, 0.25, 1, 1, 0, 0.5], rtol=1e-6)


def test_cyclical_keeps_single_steps_apart_after_many():
    schedule = Cyclical(1.0, 8, ramp=1.0)
    assert_allclose([float(schedule(2**25 + step)) for step in (1, 2)], [0.125, 0.25])


@pytest.mark.parametrize("schedule", [LinearWarmup(0.4, 4), Cyclical(1.0, 8, 0.25)])
def test_config_survives(schedule):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert again.get_config() == schedule.get_config()


@pytest.mark.parametrize(
    ("make", "received"),
    [
        (lambda: LinearWarmup(1.0, 0), "steps=0"),
        (lambda: Cyclical(1.0, 0), "period=0"),
        (lambda: Cyclical(1.0, 5, 0.0), "ramp=0.0"),
    ],
)
def test_bad_arguments(make, received):
    with pytest.raises(kg.InputError, match=f"Received: .*{received}"):
        make()
