"""Terms that read more of the discriminator than its score, or the condition: ACGAN, InfoGAN, features, targets."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from kmatgen.adversarial.means import batch_mean
from kmatgen.adversarial.round import Round
from kmatgen.adversarial.term import BaseTerm, check_number, check_whole, entry_of, float32_fields
from kmatgen.errors import InputError
from kmatgen.registry import register


def class_cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Mean over the batch of `-log softmax(logits)[label]`.

    Args:
        labels: Class ids in [0, classes), `(batch,)` or `(batch, 1)`, in any number type; or one-hot,
            `(batch, classes)`.
        logits: `(batch, classes)`.

    Raises:
        InputError: The labels have another shape.
    """
    logits = tf.cast(logits, tf.float32)
    shape, classes = labels.shape, logits.shape[-1]
    if shape.rank == 2 and shape[-1] == classes:
        return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(tf.cast(labels, tf.float32), logits))
    if shape.rank == 1 or (shape.rank == 2 and shape[-1] == 1):
        ids = tf.cast(tf.reshape(labels, [-1]), tf.int32)
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(ids, logits))
    raise InputError(
        f"Class labels are ids of shape (batch,) or (batch, 1), or one-hot of shape (batch, {classes}). "
        f"Received: shape {tuple(shape)}."
    )


@register("term")
class AuxiliaryClassifier(BaseTerm):
    """The discriminator also tells the class, and the generator makes it tellable (ACGAN, Odena et al. 2017, eq. 3).

    Reads the discriminator output `class_logits`, `(batch, classes)`.

    Args:
        weight: Factor of the term.
        fake: Whether the discriminator learns classes from fake samples too, as in the paper.
        field: Which entry of a dict condition is the class; None for a condition that is the class itself,
            as ids or one-hot.
        name: Name of the term.
    """

    requires = ("class_logits",)

    def __init__(
        self, weight: float = 1.0, fake: bool = True, field: str | None = None, name: str = "auxiliary_classifier"
    ) -> None:
        super().__init__(weight, name)
        self.fake = fake
        self.field = field

    def d_loss(self, round: Round) -> tf.Tensor:
        labels = entry_of("AuxiliaryClassifier", "condition", round.condition, self.field)
        real_loss = class_cross_entropy(labels, round.real_outputs["class_logits"])
        return real_loss + self.g_loss(round) if self.fake else real_loss

    def g_loss(self, round: Round) -> tf.Tensor:
        labels = entry_of("AuxiliaryClassifier", "condition", round.condition, self.field)
        return class_cross_entropy(labels, round.fake_outputs["class_logits"])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "fake": self.fake, "field": self.field}


@register("term")
class MutualInformation(BaseTerm):
    """A lower bound on the information that a sample holds about its code (InfoGAN, Chen et al. 2016, equation 5).

    The code is the condition that the generator was given, `round.inputs["condition"]`; real samples need none. It is

    * one array `(batch, categorical + continuous)`: the one-hot category first, then the continuous codes, as
      `draw_codes` makes it; or
    * a dict of `category`, ids or one-hot, and `code`, `(batch, continuous)`; either may be missing where its
      number is 0, and a single code may be `(batch,)`.

    The discriminator reads the code back: `code_logits`, `(batch, categorical)`, and `code_mean`,
    `(batch, continuous)`, the mean of a Gaussian of fixed deviation. Both sides minimise the same number, the negative
    log-likelihood of the code without its constants: the cross-entropy of the category plus
    `1/2 sum_k ((code_k - mean_k) / deviation)^2`, averaged over the batch.

    Args:
        weight: The paper's lambda.
        categorical: Number of categories; 0 for none.
        continuous: Number of continuous codes; 0 for none.
        deviation: Standard deviation of the Gaussian, above 0; the larger, the less the continuous codes count.
        name: Name of the term.
    """

    def __init__(
        self,
        weight: float = 1.0,
        categorical: int = 10,
        continuous: int = 2,
        deviation: float = 1.0,
        name: str = "mutual_information",
    ) -> None:
        super().__init__(weight, name)
        check_whole("MutualInformation", "categorical", categorical, 0)
        check_whole("MutualInformation", "continuous", continuous, 0)
        check_number("MutualInformation", "deviation", deviation, above=0)
        if categorical + continuous == 0:
            raise InputError(
                "MutualInformation needs a categorical or a continuous code. Received: categorical=0, continuous=0."
            )
        self.categorical = categorical
        self.continuous = continuous
        self.deviation = deviation
        self._heads = {"code_logits": categorical, "code_mean": continuous}
        self.requires = tuple(output for output, size in self._heads.items() if size)

    def check(self, generator: keras.Model, discriminator: keras.Model) -> None:
        """Refuse a discriminator whose outputs for the code have other sizes."""
        for output in self.requires:
            shape = discriminator.output[output].shape
            if tuple(shape[1:]) != (self._heads[output],):
                raise InputError(
                    f"MutualInformation needs the discriminator output {output!r} in the shape "
                    f"(batch, {self._heads[output]}). Received: shape {tuple(shape)}."
                )

    def draw_condition(self, batch: int | tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """The codes that the generator is given in training, where data bring none."""
        return draw_codes(batch, seed, self.categorical, self.continuous)

    def d_loss(self, round: Round) -> tf.Tensor:
        condition = round.inputs.get("condition") if isinstance(round.inputs, dict) else None
        category, code = self._split(condition)
        loss = tf.constant(0.0)
        if self.categorical:
            loss += class_cross_entropy(category, round.fake_outputs["code_logits"])
        if self.continuous:
            # Without its shape ensured, a code of another size would be broadcast against the mean.
            code = tf.ensure_shape(code[:, None] if code.shape.rank == 1 else code, (None, self.continuous))
            error = (tf.cast(code, tf.float32) - round.fake_outputs["code_mean"]) / self.deviation
            loss += 0.5 * tf.reduce_mean(tf.reduce_sum(tf.square(error), axis=-1))
        return loss

    def g_loss(self, round: Round) -> tf.Tensor:
        return self.d_loss(round)

    def get_config(self) -> dict[str, Any]:
        own = {"categorical": self.categorical, "continuous": self.continuous, "deviation": self.deviation}
        return {**super().get_config(), **own}

    def _split(self, condition: Any) -> tuple[tf.Tensor | None, tf.Tensor | None]:
        """The category and the continuous codes of a condition."""
        wanted = {"category": self.categorical, "code": self.continuous}
        if isinstance(condition, dict) and all(key in condition for key, size in wanted.items() if size):
            return condition.get("category"), condition.get("code")
        width = self.categorical + self.continuous
        if tf.is_tensor(condition) and condition.shape.rank == 2 and condition.shape[-1] == width:
            return condition[:, : self.categorical], condition[:, self.categorical :]
        found = condition.shape if tf.is_tensor(condition) else condition
        raise InputError(
            f"MutualInformation needs the generator's condition as one array of shape (batch, {width}), or as a dict "
            f"of category and code. Received: {found}."
        )


def draw_codes(batch: int | tf.Tensor, seed: tf.Tensor, categorical: int = 10, continuous: int = 2) -> tf.Tensor:
    """Codes for `MutualInformation`: a uniform category, one-hot, and codes uniform in [-1, 1] (Chen et al. 2016).

    Args:
        batch: Number of codes.
        seed: Stateless seed `(2,)`.
        categorical: Number of categories.
        continuous: Number of continuous codes.

    Returns:
        `(batch, categorical + continuous)` in float32.
    """
    seeds = tf.random.split(seed, 2)
    category = tf.random.stateless_uniform((batch,), seeds[0], 0, max(categorical, 1), tf.int32)
    code = tf.random.stateless_uniform((batch, continuous), seeds[1], -1.0, 1.0)
    return tf.concat([tf.one_hot(category, categorical), code], axis=1)


@register("term")
class FeatureMatching(BaseTerm):
    """`||E f(x) - E f(G(z))||^2` of the discriminator output `features` (Salimans et al. 2016, section 3.1).

    The means are over the batch, the squares are summed over all entries of the features, as in the paper.

    Args:
        weight: Factor of the term.
        name: Name of the term.
    """

    requires = ("features",)
    g_reads_real = True

    def __init__(self, weight: float = 1.0, name: str = "feature_matching") -> None:
        super().__init__(weight, name)

    def g_loss(self, round: Round) -> tf.Tensor:
        real, fake = (tf.cast(side["features"], tf.float32) for side in (round.real_outputs, round.fake_outputs))
        return tf.reduce_sum(tf.square(batch_mean(real) - batch_mean(fake)))


@register("term")
class TargetL1(BaseTerm):
    """`E |y - G(x)|`: the sample is also to equal the real one of its condition (Isola et al. 2017, equation 3).

    The mean is over all entries of a field; those of a dict sample's fields are added.

    Args:
        weight: The paper's lambda.
        name: Name of the term.
    """

    def __init__(self, weight: float = 100.0, name: str = "target_l1") -> None:
        super().__init__(weight, name)

    def g_loss(self, round: Round) -> tf.Tensor:
        real, fake = float32_fields("TargetL1", round.real), float32_fields("TargetL1", round.fake)
        return tf.add_n(keras.tree.flatten(keras.tree.map_structure(mean_distance, real, fake)))


def mean_distance(real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """Mean of `|real - fake|` over all entries of two tensors of one shape, which are never broadcast."""
    return tf.reduce_mean(tf.abs(tf.ensure_shape(real, fake.shape) - fake))
