"""Penalties on the discriminator: gradients, drift, and the clipping of its weights.

A penalty on gradients differentiates twice; `GAN.compile` calls its `check`, which refuses discriminators through
which that goes wrong.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from kmatgen.adversarial.gradients import (
    check_no_batch_normalization,
    check_twice_differentiable,
    interpolate,
    squared_gradient_norms,
)
from kmatgen.adversarial.round import Round
from kmatgen.adversarial.term import BaseTerm, check_number, float32_fields
from kmatgen.registry import register

# The derivative of a root is infinite at zero, and 0 * infinity is NaN (trap 9). Small against any norm of interest.
_EPSILON = 1e-12
# Variables that multiply or shift what passes through them. An embedding is a kernel applied to one-hot ids.
_CLIPPED = ("kernel", "bias", "embeddings")


class _OnGradients(BaseTerm):
    """A penalty that differentiates the discriminator twice."""

    def check(self, generator: keras.Model, discriminator: keras.Model) -> None:
        """Refuse a discriminator that has no right second derivatives."""
        check_twice_differentiable(type(self).__name__, discriminator)


@register("term")
class GradientPenalty(_OnGradients):
    """`E (||grad D(x)|| - target)^2` between real and fake samples (Gulrajani et al. 2017, equation 3).

    Args:
        weight: The paper's lambda.
        target: The norm wanted, at least 0: the critic's Lipschitz constant.
        one_sided: Penalise only norms above the target.
        name: Name of the term.
    """

    def __init__(
        self, weight: float = 10.0, target: float = 1.0, one_sided: bool = False, name: str = "gradient_penalty"
    ) -> None:
        super().__init__(weight, name)
        check_number("GradientPenalty", "target", target, least=0)
        self.target = target
        self.one_sided = one_sided

    def d_loss(self, round: Round) -> tf.Tensor:
        real = float32_fields("GradientPenalty", round.real)
        fake = float32_fields("GradientPenalty", round.fake)
        between = interpolate(real, fake, round.seed)
        norms = tf.sqrt(squared_gradient_norms(round.discriminate, between) + _EPSILON)
        excess = norms - self.target
        return tf.reduce_mean(tf.square(tf.nn.relu(excess) if self.one_sided else excess))

    def check(self, generator: keras.Model, discriminator: keras.Model) -> None:
        """Refuse, in addition, batch normalisation (Gulrajani et al. 2017, section 4)."""
        super().check(generator, discriminator)
        check_no_batch_normalization("GradientPenalty", discriminator)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target": self.target, "one_sided": self.one_sided}


@register("term")
class R1(_OnGradients):
    """`1/2 E ||grad D(x)||^2` at real samples (Mescheder et al. 2018, equation 9).

    Args:
        weight: The paper's gamma; its factor of one half is in the term.
        name: Name of the term.
    """

    def __init__(self, weight: float = 10.0, name: str = "r1") -> None:
        super().__init__(weight, name)

    def d_loss(self, round: Round) -> tf.Tensor:
        real = float32_fields("R1", round.real)
        return 0.5 * tf.reduce_mean(squared_gradient_norms(round.discriminate, real))


@register("term")
class R2(_OnGradients):
    """`1/2 E ||grad D(x)||^2` at generated samples (Mescheder et al. 2018, equation 10).

    Args:
        weight: The paper's gamma; its factor of one half is in the term.
        name: Name of the term.
    """

    def __init__(self, weight: float = 10.0, name: str = "r2") -> None:
        super().__init__(weight, name)

    def d_loss(self, round: Round) -> tf.Tensor:
        fake = float32_fields("R2", round.fake)
        return 0.5 * tf.reduce_mean(squared_gradient_norms(round.discriminate, fake))


@register("term")
class Drift(BaseTerm):
    """`E D(x)^2` of real samples: holds a critic's scores, free to drift together, near 0 (Karras et al. 2018, A.1).

    Args:
        weight: The paper's epsilon of drift.
        name: Name of the term.
    """

    def __init__(self, weight: float = 1e-3, name: str = "drift") -> None:
        super().__init__(weight, name)

    def d_loss(self, round: Round) -> tf.Tensor:
        return tf.reduce_mean(tf.square(tf.cast(round.real_outputs["score"], tf.float32)))


@register("term")
class WeightClipping(BaseTerm):
    """Clip the critic's weights to `[-limit, limit]` after each of its steps (Arjovsky et al. 2017, algorithm 1).

    It adds nothing to a loss, so that its `weight` has no effect and is not an argument. Kernels, biases and
    embeddings are clipped. The scales and offsets of normalisation layers stay free, since a scale held below 0.01
    would switch its layer off; running statistics are no weights.

    Args:
        limit: The largest magnitude of a weight, above 0.
        name: Name of the term.
    """

    def __init__(self, limit: float = 0.01, name: str = "weight_clipping") -> None:
        super().__init__(1.0, name)
        check_number("WeightClipping", "limit", limit, above=0)
        self.limit = limit

    def after_d_step(self, discriminator: keras.Model) -> None:
        for variable in discriminator.trainable_variables:
            if variable.name.endswith(_CLIPPED):
                variable.assign(tf.clip_by_value(variable.value, -self.limit, self.limit))

    def get_config(self) -> dict[str, Any]:
        return {"limit": self.limit, "name": self.name}
