"""Adversarial losses: pairs of functions of the discriminator's scores, chosen by name or as an object.

`gan.compile(loss="hinge")` and `gan.compile(loss=Hinge())` are the same. The mathematics is in `scores`; a class
here holds the choice of functions and their constants.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from kmatgen.adversarial import scores
from kmatgen.adversarial.term import check_number
from kmatgen.errors import InputError
from kmatgen.registry import register


class AdversarialLoss:
    """Parent of the losses: `d_loss(real_score, fake_score)` and `g_loss(real_score, fake_score)`, scalars.

    Attributes:
        reports_probability: Whether a score is a logit, logged as the probability that the sample is real.
    """

    reports_probability = False
    # Whether the generator's loss reads the scores of real samples.
    g_reads_real = False

    def d_loss(self, real_score: tf.Tensor, fake_score: tf.Tensor) -> tf.Tensor:
        """What the discriminator minimises."""
        raise NotImplementedError

    def g_loss(self, real_score: tf.Tensor, fake_score: tf.Tensor) -> tf.Tensor:
        """What the generator minimises."""
        raise NotImplementedError

    def probability(self, score: tf.Tensor) -> tf.Tensor:
        """What to log for a score, in float32: its sigmoid where `reports_probability`, else the score itself."""
        score = tf.cast(score, tf.float32)
        return tf.sigmoid(score) if self.reports_probability else score

    def get_config(self) -> dict[str, Any]:
        """Every argument of `__init__`."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> AdversarialLoss:
        """The loss of that configuration."""
        return cls(**config)


@register("loss")
class Minimax(AdversarialLoss):
    """The two-player minimax game: the generator minimises what the discriminator maximises."""

    reports_probability = True

    def d_loss(self, real_score: tf.Tensor, fake_score: tf.Tensor) -> tf.Tensor:
        return scores.cross_entropy_d_loss(real_score, fake_score)

    def g_loss(self, real_score: tf.Tensor, fake_score: tf.Tensor) -> tf.Tensor:
        return scores.minimax_g_loss(fake_score)


@register("loss")
class NonSaturating(AdversarialLoss):
    """Cross-entropy on both sides: the generator maximises the probability that its samples are real."""

    reports_probability = True

    def d_loss(self, real_score: tf.Tensor, fake_score: tf.Tensor) -> tf.Tensor:
        return scores.cross_entropy_d_loss(real_score, fake_score)

    def g_loss(self, real_score: tf.Tensor, fake_score: tf.Tensor) -> tf.Tensor:
        return scores.non_saturating_g_loss(fake_score)


@register("loss")
class LeastSquares(AdversarialLoss):
    """Squared distances of the scores from labels.

    Args:
        a: The discriminator's label for fake samples.
        b: The discriminator's label for real samples, different from `a`.
        c: The label that the generator wants for its samples. `a, b, c = -1, 1, 0` is the Pearson chi-squared
            choice (Mao et al. 2017, equation 8); the default is equation 9.
    """

    def __init__(self, a: float = 0.0, b: float = 1.0, c: float = 1.0) -> None:
        for argument, value in (("a", a), ("b", b), ("c", c)):
            check_number("LeastSquares", argument, value)
        if a == b:
            raise InputError(f"LeastSquares needs different labels for fake and real. Received: a={a}, b={b}.")
        self.a = a
        self.b = b
        self.c = c

    def d_loss(self, real_score: tf.Tensor, fake_score: tf.Tensor) -> tf.Tensor:
        return scores.least_squares_d_loss(real_score, fake_score, a=self.a, b=self.b)

    def g_loss(self, real_score: tf.Tensor, fake_score: tf.Tensor) -> tf.Tensor:
        return scores.least_squares_g_loss(fake_score, c=self.c)

    def get_config(self) -> dict[str, Any]:
        return {"a": self.a, "b": self.b, "c": self.c}


@register("loss")
class Hinge(AdversarialLoss):
    """Scores beyond the margins of -1 and 1 no longer move the discriminator."""

    def d_loss(self, real_score: tf.Tensor, fake_score: tf.Tensor) -> tf.Tensor:
        return scores.hinge_d_loss(real_score, fake_score)

    def g_loss(self, real_score: tf.Tensor, fake_score: tf.Tensor) -> tf.Tensor:
        return scores.critic_g_loss(fake_score)


@register("loss")
class Wasserstein(AdversarialLoss):
    """Difference of mean critic scores; needs a Lipschitz term, such as `GradientPenalty` or `WeightClipping`."""

    def d_loss(self, real_score: tf.Tensor, fake_score: tf.Tensor) -> tf.Tensor:
        return scores.wasserstein_d_loss(real_score, fake_score)

    def g_loss(self, real_score: tf.Tensor, fake_score: tf.Tensor) -> tf.Tensor:
        return scores.critic_g_loss(fake_score)


@register("loss")
class RelativisticAverage(AdversarialLoss):
    """Each sample is judged against the average of the other kind, over the whole batch.

    Only differences of scores matter, so that the reported `sigmoid(score)` is a probability up to an
    unknown offset of the score.
    """

    reports_probability = True
    g_reads_real = True

    def d_loss(self, real_score: tf.Tensor, fake_score: tf.Tensor) -> tf.Tensor:
        return scores.relativistic_average_loss(real_score, fake_score)

    def g_loss(self, real_score: tf.Tensor, fake_score: tf.Tensor) -> tf.Tensor:
        return scores.relativistic_average_loss(fake_score, real_score)


@register("loss")
class Energy(AdversarialLoss):
    """The score is an energy, low for real samples: for instance an autoencoder's reconstruction error.

    Args:
        margin: Energy above which a fake sample no longer moves the discriminator; above 0.
    """

    def __init__(self, margin: float = 1.0) -> None:
        check_number("Energy", "margin", margin, above=0)
        self.margin = margin

    def d_loss(self, real_score: tf.Tensor, fake_score: tf.Tensor) -> tf.Tensor:
        return scores.energy_d_loss(real_score, fake_score, margin=self.margin)

    def g_loss(self, real_score: tf.Tensor, fake_score: tf.Tensor) -> tf.Tensor:
        return scores.energy_g_loss(fake_score)

    def get_config(self) -> dict[str, Any]:
        return {"margin": self.margin}
