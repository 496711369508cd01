"""From noise to sample: one loop back in time, with as much fresh noise in each step as a sampler says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from kmatgen.errors import InputError
from kmatgen.registry import register
from kmatgen.seeds import fold_seed, sample_seed

Tensors = dict[str, tf.Tensor]

# Rows whose noise is drawn together.
_BLOCK = 64


@register("sampler")
class DDIM:
    """Follow the deterministic path from noise to sample, or with `eta` mix in fresh noise.

    Args:
        eta: Share of fresh noise in a step, from 0, none, to 1, as much as the ancestral sampler.

    Raises:
        InputError: `eta` is not between 0 and 1.

    Source: Song, Meng and Ermon 2021.
    """

    def __init__(self, eta: float = 0.0) -> None:
        if not 0 <= eta <= 1:
            raise InputError(f"eta is from 0 to 1. Received: {eta}.")
        self.eta = float(eta)

    def get_config(self) -> dict[str, Any]:
        """Arguments to make it again."""
        return {"eta": self.eta}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DDIM:
        """From what `get_config` returned."""
        return cls(**config)


@register("sampler")
class Ancestral(DDIM):
    """DDPM's sampler: every step draws from the posterior, of the smaller of its two variances.

    Good with many steps, 250 and more; with few, `DDIM` is better.

    Source: Ho, Jain and Abbeel 2020, algorithm 2.
    """

    def __init__(self) -> None:
        super().__init__(eta=1.0)

    def get_config(self) -> dict[str, Any]:
        return {}


def reverse(
    step: Callable[[Tensors, tf.Tensor, tf.Tensor, tf.Tensor], Tensors],
    start: Tensors,
    steps: tf.Tensor,
    start_time: tf.Tensor,
) -> Tensors:
    """Go back from `start_time` to 0 in equal steps of time, inside TensorFlow.

    Args:
        step: From the fields at a time, that time, the next one and the number of the step to the fields then.
        start: The fields at `start_time`.
        steps: Number of steps, a scalar int32 of at least 1.
        start_time: Scalar float32.
    """
    number = tf.cast(steps, tf.float32)

    def time_of(index: tf.Tensor) -> tf.Tensor:
        # Exactly 0 at the end; a running difference would not be.
        return start_time * (number - tf.cast(index, tf.float32)) / number

    def body(index: tf.Tensor, fields: Tensors) -> tuple[tf.Tensor, Tensors]:
        moved = step(fields, time_of(index), time_of(index + 1), index)
        # Shapes that a network loses or gains would break the loop.
        return index + 1, {name: tf.ensure_shape(moved[name], value.shape) for name, value in fields.items()}

    _, fields = tf.while_loop(lambda index, _: index < steps, body, (tf.constant(0), start))
    return fields


def row_noise(row_seeds: tf.Tensor, step: tf.Tensor, shape: tuple[int, ...]) -> tf.Tensor:
    """Standard normal noise that depends on the row and the step alone, not on how rows are put into batches.

    Rows are drawn in blocks that begin at multiples of the block's size, as one call for each row is slow.

    Args:
        row_seeds: The user's seed and the number of the row `(batch, 2)`, of consecutive rows.
        step: Number of the step, a scalar.
        shape: Of one row.
    """
    seed = fold_seed(sample_seed(row_seeds[0, 0]), step)
    first, n = row_seeds[0, 1], tf.shape(row_seeds)[0]
    begin, end = first // _BLOCK, (first + n - 1) // _BLOCK + 1

    def block(number: tf.Tensor) -> tf.Tensor:
        own = fold_seed(seed, number)
        return tf.random.stateless_normal((_BLOCK, *shape), own)

    blocks = tf.map_fn(block, tf.range(begin, end), fn_output_signature=tf.TensorSpec((_BLOCK, *shape), tf.float32))
    rows = tf.reshape(blocks, (-1, *shape))[first - begin * _BLOCK :][:n]
    return tf.ensure_shape(rows, (row_seeds.shape[0], *shape))
