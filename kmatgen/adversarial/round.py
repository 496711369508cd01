"""The round: what one half of an adversarial step knows, handed to every loss term.

`GAN.train_step` makes one round for each discriminator step and one for the generator step. A term reads
what it needs and returns a scalar; it keeps no state, and takes its randomness from `seed`.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

import keras
import tensorflow as tf

Outputs = dict[str, tf.Tensor]


class Round(NamedTuple):
    """The tensors of one half-step.

    Attributes:
        generator: The generator.
        discriminator: The discriminator or critic.
        inputs: What the generator was given: the noise, or a dict of `noise` and `condition`.
        condition: The condition of the real samples and of the fake ones alike, or None.
        real: Real samples: a tensor or a dict of tensors.
        fake: Generated samples, of the same structure. In a discriminator step no gradient reaches the generator.
        real_outputs: The discriminator's outputs for `real`, in float32: `score`, and what else it has,
            such as `class_logits` or `features`.
        fake_outputs: The same for `fake`.
        seed: Stateless seed `(2,)`, different for every round and replica; `kmatgen.seeds.fold_seed` makes more.
    """

    generator: keras.Model
    discriminator: keras.Model
    inputs: Any
    condition: Any
    real: Any
    fake: Any
    real_outputs: Outputs
    fake_outputs: Outputs
    seed: tf.Tensor

    def discriminate(self, sample: Any) -> Outputs:
        """The discriminator's outputs for other samples of the same condition, in training mode and float32."""
        return discriminate(self.discriminator, sample, self.condition)


@runtime_checkable
class Term(Protocol):
    """Anything added to a side's loss; also has a `name`.

    Attributes:
        weight: Factor of the term in the side's loss.
        requires: Discriminator outputs that it reads; `GAN.compile` refuses it where they are missing.
    """

    name: str
    weight: float
    requires: tuple[str, ...]


def discriminate(discriminator: keras.Model, sample: Any, condition: Any = None, training: bool = True) -> Outputs:
    """Call a discriminator as its inputs ask for, and give its outputs by name in float32."""
    takes_condition = isinstance(discriminator.input, dict) and "condition" in discriminator.input
    inputs = {"sample": sample, "condition": condition} if takes_condition else sample
    outputs = discriminator(inputs, training=training)
    if not isinstance(outputs, dict):
        outputs = {"score": outputs}
    return {name: tf.cast(value, tf.float32) for name, value in outputs.items()}
