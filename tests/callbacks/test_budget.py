import time

import keras
import pytest

import kmatgen as kg
from kmatgen.callbacks import StopAfterMinutes


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_training_ends_with_the_epoch_in_which_the_time_is_over(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", clock)
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    model.stop_training = False
    budget = StopAfterMinutes(2.0)
    budget.set_model(model)
    budget.on_train_begin()
    stopped = []
    for epoch in range(4):
        clock.now += 45.0
        budget.on_epoch_end(epoch)
        stopped.append(model.stop_training)
    assert stopped == [False, False, True, True]


@pytest.mark.parametrize("minutes", [0, -1.0, "5", True, float("nan")])
def test_bad_budgets(minutes):
    with pytest.raises(kg.InputError, match="above 0. Received"):
        StopAfterMinutes(minutes)
