"""Weights that change while a model trains: functions of the optimiser's step.

Any `keras.optimizers.schedules.LearningRateSchedule` serves as such a weight; these are the two
that KL annealing uses and Keras does not have.
"""

from __future__ import annotations

import keras
import tensorflow as tf

from kmatgen.errors import InputError
from kmatgen.registry import register

Schedule = keras.optimizers.schedules.LearningRateSchedule


@register("schedule")
class LinearWarmup(Schedule):
    """Grow from 0 to `target` over `steps` steps, then stay: `target * min(step / steps, 1)`.

    KL annealing of Bowman et al., "Generating Sentences from a Continuous Space" (2016), section 3.1.

    Args:
        target: The final weight.
        steps: Number of optimiser steps until it is reached, at least 1.
    """

    def __init__(self, target: float, steps: int) -> None:
        if steps < 1:
            raise InputError(f"LinearWarmup needs steps of at least 1. Received: steps={steps}.")
        self.target = target
        self.steps = steps

    def __call__(self, step: tf.Tensor | int) -> tf.Tensor:
        return self.target * tf.minimum(tf.cast(step, tf.float32) / self.steps, 1.0)

    def get_config(self) -> dict:
        return {"target": self.target, "steps": self.steps}


@register("schedule")
class Cyclical(Schedule):
    """Repeat a linear warm-up: in each period rise to `target` within `ramp` of it, then stay there.

    Fu et al., "Cyclical Annealing Schedule" (2019), equations 6 and 7.

    Args:
        target: The weight on the plateau.
        period: Steps of one cycle, at least 1.
        ramp: Fraction of the period spent rising, in (0, 1].
    """

    def __init__(self, target: float, period: int, ramp: float = 0.5) -> None:
        if period < 1 or not 0 < ramp <= 1:
            raise InputError(
                f"Cyclical needs a period of at least 1 and a ramp in (0, 1]. Received: period={period}, ramp={ramp}."
            )
        self.target = target
        self.period = period
        self.ramp = ramp

    def __call__(self, step: tf.Tensor | int) -> tf.Tensor:
        # The position is taken in integers: float32 loses single steps beyond 16 million.
        position = tf.cast(tf.cast(step, tf.int64) % self.period, tf.float32) / self.period
        return self.target * tf.minimum(position / self.ramp, 1.0)

    def get_config(self) -> dict:
        return {"target": self.target, "period": self.period, "ramp": self.ramp}
