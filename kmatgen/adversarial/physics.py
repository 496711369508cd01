"""Terms that ask generated microstructures for the statistics of real ones: volume fraction and two-point correlation.

A sample is an image `(batch, height, width, channels)` or a volume `(batch, depth, height, width, channels)`, or a
dict that holds one. A channel is the indicator of a phase, soft or sharp, with values in [0, 1]: the grey value of
a two-phase image, or one entry of a softmax over phases.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from kmatgen.adversarial.correlation import two_point_correlation
from kmatgen.adversarial.means import batch_mean, sample_mean
from kmatgen.adversarial.round import Round
from kmatgen.adversarial.term import BaseTerm, check_number, check_whole, entry_of
from kmatgen.errors import InputError
from kmatgen.registry import register


class _OfPhase(BaseTerm):
    """A statistic of one channel of the samples.

    Args:
        weight: Factor of the term.
        channel: Which channel is the indicator.
        field: Which entry of a dict sample is the image; None for a sample that is the image itself.
        name: Name of the term.
    """

    def __init__(self, weight: float, channel: int, field: str | None, name: str) -> None:
        super().__init__(weight, name)
        check_whole(type(self).__name__, "channel", channel, 0)
        self.channel = channel
        self.field = field

    def check(self, generator: keras.Model, discriminator: keras.Model) -> None:
        """Refuse a generator whose samples have no such channel."""
        self._image(generator.output)

    def indicator(self, sample: Any) -> tf.Tensor:
        """The chosen channel of a sample in float32, without a channel axis."""
        return tf.cast(self._image(sample)[..., self.channel], tf.float32)

    def _image(self, sample: Any) -> Any:
        owner = type(self).__name__
        image = entry_of(owner, "sample", sample, self.field)
        if len(image.shape) not in (4, 5) or image.shape[-1] <= self.channel:
            raise InputError(
                f"{owner} needs images (batch, height, width, channels) or volumes with one axis more, and "
                f"channel={self.channel} in them. Received: shape {tuple(image.shape)}."
            )
        return image


@register("term")
class VolumeFraction(_OfPhase):
    """Squared error of the volume fraction of a phase in generated samples.

    The fraction of a sample is the mean of its indicator over all pixels. With `column`, it is compared, sample by
    sample, with what the condition asks for: `E (phi(G(z, c)) - c)^2`. Without, the batch is compared with the
    real one: `(E phi(G(z)) - E phi(x))^2`, so that samples may differ as real ones do.

    Args:
        weight: Factor of the term.
        phase: The channel that is the phase's indicator.
        threshold: Grey value from which a pixel belongs to the phase: the indicator is
            `sigmoid((value - threshold) / width)`, a step with a gradient. None: the value itself is the indicator.
        width: Width of that step in units of the value, above 0; without a threshold it has no effect.
        column: Where the condition holds the fraction asked for, in [0, 1]: a column of an array condition
            `(batch, columns)`, or the key of an entry `(batch,)` or `(batch, 1)` of a dict. None: compare with real
            samples.
        field: Which entry of a dict sample is the image; None for a sample that is the image itself.
        name: Name of the term.
    """

    def __init__(
        self,
        weight: float = 1.0,
        phase: int = 0,
        threshold: float | None = None,
        width: float = 0.05,
        column: int | str | None = None,
        field: str | None = None,
        name: str = "volume_fraction",
    ) -> None:
        check_whole("VolumeFraction", "phase", phase, 0)
        super().__init__(weight, phase, field, name)
        if threshold is not None:
            check_number("VolumeFraction", "threshold", threshold)
        check_number("VolumeFraction", "width", width, above=0)
        if column is not None and not isinstance(column, str):
            check_whole("VolumeFraction", "column", column, 0)
        self.phase = phase
        self.threshold = threshold
        self.width = width
        self.column = column

    def fraction(self, sample: Any) -> tf.Tensor:
        """The volume fraction of each sample, `(batch,)`."""
        values = self.indicator(sample)
        if self.threshold is not None:
            values = tf.sigmoid((values - self.threshold) / self.width)
        return sample_mean(values)

    def g_loss(self, round: Round) -> tf.Tensor:
        fractions = self.fraction(round.fake)
        if self.column is None:
            return tf.square(batch_mean(fractions) - batch_mean(self.fraction(round.real)))
        return tf.reduce_mean(tf.square(fractions - self._asked(round.condition)))

    def get_config(self) -> dict[str, Any]:
        own = {"threshold": self.threshold, "width": self.width, "column": self.column}
        return {**super().get_config(), "phase": self.phase, "field": self.field, **own}

    def _asked(self, condition: Any) -> tf.Tensor:
        """The fractions that the condition asks for, `(batch,)`."""
        key = self.column if isinstance(self.column, str) else None
        values = entry_of("VolumeFraction", "condition", condition, key)
        column = 0 if isinstance(self.column, str) else self.column
        columns = tf.reshape(values, (-1, 1)) if values.shape.rank == 1 else values
        if columns.shape.rank != 2 or columns.shape[-1] <= column:
            raise InputError(
                f"VolumeFraction has column={self.column!r}, which must be in a condition (batch, columns). "
                f"Received: shape {tuple(values.shape)}."
            )
        return tf.cast(columns[:, column], tf.float32)


@register("term")
class TwoPointCorrelation(_OfPhase):
    """Mean over all vectors `r` of `(E S2_fake(r) - E S2_real(r))^2`, the means over the batch.

    See `kmatgen.adversarial.correlation.two_point_correlation`.

    Args:
        weight: Factor of the term.
        periodic: Whether the samples continue at their opposite edges; micrographs do not.
        channel: The channel that is the phase's indicator.
        field: Which entry of a dict sample is the image; None for a sample that is the image itself.
        name: Name of the term.
    """

    def __init__(
        self,
        weight: float = 1.0,
        periodic: bool = True,
        channel: int = 0,
        field: str | None = None,
        name: str = "two_point_correlation",
    ) -> None:
        super().__init__(weight, channel, field, name)
        self.periodic = periodic

    def g_loss(self, round: Round) -> tf.Tensor:
        real, fake = (
            batch_mean(two_point_correlation(self.indicator(sample), self.periodic))
            for sample in (round.real, round.fake)
        )
        return tf.reduce_mean(tf.square(fake - real))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "channel": self.channel, "field": self.field, "periodic": self.periodic}
