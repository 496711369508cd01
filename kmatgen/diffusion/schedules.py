"""Noise schedules: how much of a sample is left, and how much noise was added, at a time from 0 to 1.

A noisy sample is `alpha(t) x + sigma(t) noise` with `alpha^2 + sigma^2 = 1`. Time is continuous, so that a model
trained once is sampled with any number of steps. At 0 a sample is (all but) clean, at 1 it is (all but) noise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from kmatgen import registry
from kmatgen.errors import InputError
from kmatgen.registry import register

# What a schedule may be off by, in float32.
_TOLERANCE = 1e-3


class NoiseSchedule:
    """Base of the schedules; a subclass defines `alpha` and `sigma` of times of any shape in [0, 1], in float32."""

    def alpha(self, time: tf.Tensor) -> tf.Tensor:
        """Factor of the clean sample, from 1 down."""
        raise NotImplementedError(f"{type(self).__name__} defines alpha.")

    def sigma(self, time: tf.Tensor) -> tf.Tensor:
        """Standard deviation of the noise, up to 1."""
        raise NotImplementedError(f"{type(self).__name__} defines sigma.")

    def snr(self, time: tf.Tensor) -> tf.Tensor:
        """Signal-to-noise ratio `alpha^2 / sigma^2`, bounded where there is no noise."""
        return self.alpha(time) ** 2 / tf.maximum(self.sigma(time) ** 2, 1e-8)

    def get_config(self) -> dict[str, Any]:
        """Arguments to make it again."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> NoiseSchedule:
        """From what `get_config` returned."""
        return cls(**config)


def get_schedule(identifier: Any) -> NoiseSchedule:
    """A noise schedule by name, from a dict or as an object.

    Raises:
        InputError: There is no such schedule, or it does not go from a sample to noise at `alpha^2 + sigma^2 = 1`, by
            which predictions are turned into samples.
    """
    schedule = registry.get("noise_schedule", identifier)
    times = tf.linspace(0.0, 1.0, 9)
    alpha, sigma = schedule.alpha(times).numpy(), schedule.sigma(times).numpy()
    squares = alpha**2 + sigma**2
    # Also where there is NaN.
    if not (np.all(np.abs(squares - 1.0) < _TOLERANCE) and alpha[0] > alpha[-1]):
        raise InputError(
            "A noise schedule has alpha^2 + sigma^2 = 1 at all times from 0, a sample, to 1, noise. Received: "
            f"{type(schedule).__name__} with {squares.min():.3g} to {squares.max():.3g}, alpha from {alpha[0]:.3g} "
            f"to {alpha[-1]:.3g}."
        )
    return schedule


@register("noise_schedule")
class Cosine(NoiseSchedule):
    """`alpha = cos(pi t / 2)`, `sigma = sin(pi t / 2)`: with the velocity target, constant speed on a circle.

    Source: Salimans and Ho 2022, section 4 and appendix.
    """

    def alpha(self, time: tf.Tensor) -> tf.Tensor:
        # Not the cosine itself: float32 would give -4e-8 at the end.
        return tf.sin(0.5 * np.pi * (1.0 - time))

    def sigma(self, time: tf.Tensor) -> tf.Tensor:
        return tf.sin(0.5 * np.pi * time)


@register("noise_schedule")
class NicholCosine(NoiseSchedule):
    """`alpha^2 = f(t) / f(0)` with `f(t) = cos^2(pi/2 (t + s) / (1 + s))`.

    Args:
        offset: `s`, which keeps the first noise from being too small.

    Raises:
        InputError: The offset is not between 0 and 1.

    Source: Nichol and Dhariwal 2021, equation 17.
    """

    def __init__(self, offset: float = 0.008) -> None:
        if not 0 <= offset < 1:
            raise InputError(f"offset is at least 0 and below 1. Received: {offset}.")
        self.offset = offset

    def alpha(self, time: tf.Tensor) -> tf.Tensor:
        start = np.cos(0.5 * np.pi * self.offset / (1 + self.offset))
        return tf.sin(0.5 * np.pi * (1.0 - time) / (1 + self.offset)) / float(start)

    def sigma(self, time: tf.Tensor) -> tf.Tensor:
        return tf.sqrt(tf.maximum(1.0 - self.alpha(time) ** 2, 0.0))

    def get_config(self) -> dict[str, Any]:
        return {"offset": self.offset}


@register("noise_schedule")
class Linear(NoiseSchedule):
    """DDPM's betas, rising linearly, in continuous time: `alpha^2 = exp(-(b0 t + (b1 - b0) t^2 / 2))`.

    Args:
        beta_start: `b0`, DDPM's 1e-4 times its 1,000 steps.
        beta_end: `b1`, DDPM's 0.02 times its 1,000 steps.

    Raises:
        InputError: Not 0 <= `beta_start` < `beta_end`.

    Source: Ho, Jain and Abbeel 2020, section 4; Song et al. 2021, equation 33 (VP-SDE).
    """

    def __init__(self, beta_start: float = 0.1, beta_end: float = 20.0) -> None:
        if not 0 <= beta_start < beta_end:
            raise InputError(f"betas are 0 <= beta_start < beta_end. Received: {beta_start}, {beta_end}.")
        self.beta_start = beta_start
        self.beta_end = beta_end

    def _integral(self, time: tf.Tensor) -> tf.Tensor:
        return self.beta_start * time + 0.5 * (self.beta_end - self.beta_start) * time**2

    def alpha(self, time: tf.Tensor) -> tf.Tensor:
        return tf.exp(-0.5 * self._integral(time))

    def sigma(self, time: tf.Tensor) -> tf.Tensor:
        return tf.sqrt(-tf.math.expm1(-self._integral(time)))

    def get_config(self) -> dict[str, Any]:
        return {"beta_start": self.beta_start, "beta_end": self.beta_end}


@register("noise_schedule", "log_snr")
class LogSNR(NoiseSchedule):
    """The logarithm of the signal-to-noise ratio falls linearly: `alpha^2 = sigmoid(start + (end - start) t)`.

    Args:
        start: Log-SNR at time 0.
        end: Log-SNR at time 1.

    Raises:
        InputError: It does not fall.

    Source: Kingma et al. 2021 (variational diffusion models), equation 3.
    """

    def __init__(self, start: float = 10.0, end: float = -10.0) -> None:
        if not start > end:
            raise InputError(f"The log-SNR falls from start to end. Received: start={start}, end={end}.")
        self.start = start
        self.end = end

    def alpha(self, time: tf.Tensor) -> tf.Tensor:
        return tf.sqrt(tf.sigmoid(self.start + (self.end - self.start) * time))

    def sigma(self, time: tf.Tensor) -> tf.Tensor:
        return tf.sqrt(tf.sigmoid(-self.start - (self.end - self.start) * time))

    def get_config(self) -> dict[str, Any]:
        return {"start": self.start, "end": self.end}
