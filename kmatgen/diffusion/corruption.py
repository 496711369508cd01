"""How a field is corrupted in training and restored in sampling.

A corruption is a path from a clean field at time 0 to pure noise at time 1. It says what the denoiser predicts, and
takes one step back in time from a prediction. `time` has the batch as its first axis and is broadcastable to the field.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from kmatgen.diffusion.schedules import get_schedule
from kmatgen.diffusion.targets import TARGETS, clean_of, min_snr_weight, noise_of, target_of
from kmatgen.errors import InputError, check_choice
from kmatgen.registry import register


@register("corruption")
class Gaussian:
    """Gaussian noise is mixed in: `alpha(t) clean + sigma(t) noise`.

    For images, lattices, properties, and for species as features or bits (Chen, Zhang and Hinton 2023).

    Args:
        schedule: A noise schedule or its name, see `kmatgen.diffusion.schedules`.
        target: What the denoiser predicts: `"velocity"`, `"noise"` or `"sample"`.
        limits: Smallest and largest value of clean data, such as `(-1, 1)` of images: estimates of the clean sample
            are clipped to them while sampling. `None`: no clipping.

    Raises:
        InputError: An unknown schedule or target, or limits that are none.
    """

    def __init__(
        self, schedule: Any = "cosine", target: str = "velocity", limits: Sequence[float] | None = None
    ) -> None:
        check_choice("target", target, TARGETS)
        if limits is not None and not (len(limits) == 2 and limits[0] < limits[1]):
            raise InputError(f"limits are a smaller and a larger number. Received: {limits!r}.")
        self.schedule = get_schedule(schedule)
        self.target = target
        self.limits = None if limits is None else [float(limit) for limit in limits]

    def draw(self, shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Pure noise."""
        return tf.random.stateless_normal(shape, seed)

    def couple(self, clean: tf.Tensor, noise: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
        """Noise as it is: all places stay their own."""
        return noise

    def corrupt(self, clean: tf.Tensor, noise: tf.Tensor, time: tf.Tensor) -> tf.Tensor:
        """The field at a time."""
        return self.schedule.alpha(time) * clean + self.schedule.sigma(time) * noise

    def target_of(self, clean: tf.Tensor, noise: tf.Tensor, time: tf.Tensor) -> tf.Tensor:
        """What the denoiser should predict at a time."""
        return target_of(self.target, clean, noise, self.schedule.alpha(time), self.schedule.sigma(time))

    def min_snr_weight(self, time: tf.Tensor) -> tf.Tensor:
        """See `kmatgen.diffusion.targets.min_snr_weight`."""
        return min_snr_weight(self.target, self.schedule.snr(time))

    def clean_of(self, prediction: tf.Tensor, noisy: tf.Tensor, time: tf.Tensor) -> tf.Tensor:
        """The clean field that a prediction stands for."""
        alpha, sigma = self.schedule.alpha(time), self.schedule.sigma(time)
        clean = clean_of(self.target, prediction, noisy, alpha, sigma)
        return clean if self.limits is None else tf.clip_by_value(clean, *self.limits)

    def step(
        self, noisy: tf.Tensor, prediction: tf.Tensor, time: tf.Tensor, to: tf.Tensor, eta: tf.Tensor, fresh: tf.Tensor
    ) -> tf.Tensor:
        """One step back in time, from `time` to `to`; at 0 the field is clean.

        Args:
            noisy: The field at `time`.
            prediction: Of the denoiser.
            time: Present time.
            to: Time of the result, a scalar.
            eta: Share of fresh noise: 0 follows the deterministic path, 1 is DDPM's ancestral step.
            fresh: Standard normal noise, or zeros where `eta` is 0.

        Source: Song, Meng and Ermon 2021, equations 12 and 16.
        """
        alpha, sigma = self.schedule.alpha(time), self.schedule.sigma(time)
        alpha_to, sigma_to = self.schedule.alpha(to), self.schedule.sigma(to)
        clean = self.clean_of(prediction, noisy, time)
        share = tf.sqrt(tf.maximum(1.0 - (alpha / alpha_to) ** 2, 0.0))
        spread = eta * sigma_to / tf.maximum(sigma, 1e-6) * share
        kept = tf.sqrt(tf.maximum(sigma_to**2 - spread**2, 0.0))
        moved = alpha_to * clean + kept * noise_of(noisy, clean, alpha, sigma) + spread * fresh
        return tf.where(to > 0, moved, clean)

    def get_config(self) -> dict[str, Any]:
        """Arguments to make it again."""
        schedule = keras.saving.serialize_keras_object(self.schedule)
        return {"schedule": schedule, "target": self.target, "limits": self.limits}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Gaussian:
        """From what `get_config` returned."""
        return cls(**config)


@register("corruption")
class Periodic:
    """Coordinates on a circle move along its shorter arc to a uniformly drawn place.

    `x(t) = clean + t d`, wrapped, where `d` is the difference to the drawn place, wrapped to half a period on either
    side; the denoiser predicts the constant velocity `d`, and sampling follows it back. At time 1 the field is exactly
    uniform, whatever the data, and no place on the circle is special, unlike for wrapped coordinates that are treated
    as numbers. A denoiser reads such a field best through sines and cosines.

    Of interchangeable places, as those of the atoms of a crystal, the drawn ones may be given to the clean ones in any
    order, and of a crystal no origin is special: each clean place takes a near one, and their mean difference is left
    out. Paths are then short and cross little, and the denoiser has less to guess.

    Args:
        period: Of the coordinates: 1 for fractional ones.
        start: Smallest value of a wrapped coordinate: values lie in `[start, start + period)`.
        interchangeable: Whether the places of a field `(batch, places, axes)` may be exchanged, and moved together.
        pull: Least share of the way to the clean field, as the denoiser sees it, that a step of sampling goes, from 0
            to below 1. 0 follows the velocity; more lets the field settle where the denoiser wants it, again and again
            at smaller and smaller times, as a relaxation does. Errors of the denoiser then do not add up.
        jitter: Standard deviation of the fresh noise of a step at time 1, in periods, where the sampler takes fresh
            noise; it shrinks with the time. It shakes what has settled in a poor place.

    Raises:
        InputError: The period is not positive, or the pull or the jitter not in its range.

    Source: Chen and Lipman 2024, section 3.2 (flat torus); Miller et al. 2024 (FlowMM), section 4; near pairs as in
    Klein, Kraemer and Noe 2023 (equivariant flow matching), section 4; velocities that grow towards time 0 are the
    "anneal" of FlowMM, here without a bound on the number of steps.
    """

    def __init__(
        self,
        period: float = 1.0,
        start: float = 0.0,
        interchangeable: bool = False,
        pull: float = 0.0,
        jitter: float = 0.05,
    ) -> None:
        if not period > 0:
            raise InputError(f"period is positive. Received: {period}.")
        if not 0 <= pull < 1:
            raise InputError(f"pull is at least 0 and below 1. Received: {pull}.")
        if not jitter >= 0:
            raise InputError(f"jitter is at least 0. Received: {jitter}.")
        self.period = float(period)
        self.start = float(start)
        self.interchangeable = bool(interchangeable)
        self.pull = float(pull)
        self.jitter = float(jitter)

    def wrap(self, values: tf.Tensor) -> tf.Tensor:
        """Values in `[start, start + period)`."""
        return self.start + tf.math.floormod(values - self.start, self.period)

    def shortest(self, difference: tf.Tensor) -> tf.Tensor:
        """A difference in `[-period / 2, period / 2)`."""
        return tf.math.floormod(difference + 0.5 * self.period, self.period) - 0.5 * self.period

    def draw(self, shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Uniform places."""
        return self.start + self.period * tf.random.stateless_uniform(shape, seed)

    def couple(self, clean: tf.Tensor, noise: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
        """Drawn places for clean ones: near ones, about the same centre, where places are interchangeable.

        Args:
            clean: Clean field; places that are not known hold NaN, and take what the others leave.
            noise: Drawn places of the same shape.
            mask: `(batch, places)`, 1 where there is one. `None`: everywhere.
        """
        if not self.interchangeable:
            return noise
        there = tf.ones(tf.shape(clean)[:2]) if mask is None else mask
        known = tf.logical_not(tf.reduce_any(tf.math.is_nan(clean), axis=-1))
        clean = tf.where(known[..., None], clean, 0.0)
        squares = tf.reduce_sum(tf.square(self.shortest(noise[:, None] - clean[:, :, None])), axis=-1)
        # Farther than any place from any other, so that known ones choose first.
        squares = tf.where(known[:, :, None], squares, self.period**2 * clean.shape[-1])
        noise = tf.gather(noise, nearest_pairs(squares, there), batch_dims=1)
        counted = there * tf.cast(known, tf.float32)
        difference = self.shortest(noise - clean) * counted[..., None]
        count = tf.maximum(tf.reduce_sum(counted, axis=1), 1.0)[:, None, None]
        return self.wrap(noise - tf.reduce_sum(difference, axis=1, keepdims=True) / count)

    def corrupt(self, clean: tf.Tensor, noise: tf.Tensor, time: tf.Tensor) -> tf.Tensor:
        """The field at a time."""
        return self.wrap(clean + time * self.shortest(noise - clean))

    def target_of(self, clean: tf.Tensor, noise: tf.Tensor, time: tf.Tensor) -> tf.Tensor:
        """What the denoiser should predict at a time: the velocity, scaled to about unit variance."""
        return self.shortest(noise - clean) * self._scale

    def min_snr_weight(self, time: tf.Tensor) -> tf.Tensor:
        """There is no ratio of signal and noise on a circle: every time counts the same."""
        return tf.ones_like(time)

    def clean_of(self, prediction: tf.Tensor, noisy: tf.Tensor, time: tf.Tensor) -> tf.Tensor:
        """The clean field that a prediction stands for."""
        return self.wrap(noisy - time * prediction / self._scale)

    def step(
        self, noisy: tf.Tensor, prediction: tf.Tensor, time: tf.Tensor, to: tf.Tensor, eta: tf.Tensor, fresh: tf.Tensor
    ) -> tf.Tensor:
        """One step back along the velocity, and a little aside where there is fresh noise."""
        way = tf.maximum(time - to, self.pull * time)
        aside = eta * self.jitter * self.period * to * fresh
        return self.wrap(noisy - way * prediction / self._scale + aside)

    @property
    def _scale(self) -> float:
        # A uniform difference has a standard deviation of period / sqrt(12), that of near pairs of about period / 6.
        return (6.0 if self.interchangeable else 12.0**0.5) / self.period

    def get_config(self) -> dict[str, Any]:
        """Arguments to make it again."""
        return {name: getattr(self, name) for name in ("period", "start", "interchangeable", "pull", "jitter")}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Periodic:
        """From what `get_config` returned."""
        return cls(**config)


def nearest_pairs(costs: tf.Tensor, there: tf.Tensor) -> tf.Tensor:
    """A column for each row, the cheapest pair of all first: a good assignment, if not the best, at little cost.

    Args:
        costs: `(batch, n, n)`, from 0 to well below 1e3.
        there: `(batch, n)`: rows and columns that are 0 here are paired among themselves, last.

    Returns:
        `(batch, n)` int32, a permutation for each batch.
    """
    n = tf.shape(costs)[1]
    absent = 1.0 - there
    costs += 1e6 * tf.abs(there[:, :, None] - there[:, None, :]) + 1e3 * absent[:, :, None]

    def pair(number: tf.Tensor, costs: tf.Tensor, columns: tf.Tensor) -> tuple[tf.Tensor, ...]:
        best = tf.argmin(tf.reshape(costs, [-1, n * n]), axis=1, output_type=tf.int32)
        row, column = tf.one_hot(best // n, n), tf.one_hot(best % n, n)
        costs += 1e9 * tf.maximum(row[:, :, None], column[:, None, :])
        return number + 1, costs, columns + tf.cast(row, tf.int32) * (best % n)[:, None]

    begin = (tf.constant(0), costs, tf.zeros(tf.shape(costs)[:2], tf.int32))
    return tf.while_loop(lambda number, *_: number < n, pair, begin)[2]
