"""The adversarial losses as functions of scores; `losses` makes them choosable by name.

A score is a logit or an unbounded critic value, of any shape `(batch, ...)`; a discriminator's map of patches
`(batch, h, w, 1)` is averaged over all its entries, since each patch is judged by itself. Everything is computed
in float32, whatever comes in, and cross-entropies from the logits, where no logarithm can overflow.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import tensorflow as tf

from kmatgen.adversarial.means import batch_mean, sample_mean


def _in_float32(function: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    """Cast the positional arguments, which are scores, to float32."""

    @functools.wraps(function)
    def in_float32(*scores: tf.Tensor, **options: float) -> tf.Tensor:
        return function(*(tf.cast(score, tf.float32) for score in scores), **options)

    return in_float32


@_in_float32
def cross_entropy_d_loss(real_score: tf.Tensor, fake_score: tf.Tensor, /) -> tf.Tensor:
    """`-E log D(x) - E log(1 - D(G(z)))`, `D = sigmoid(score)` (Goodfellow et al. 2014, equation 1)."""
    return tf.reduce_mean(tf.nn.softplus(-real_score)) + tf.reduce_mean(tf.nn.softplus(fake_score))


@_in_float32
def minimax_g_loss(fake_score: tf.Tensor, /) -> tf.Tensor:
    """`E log(1 - D(G(z)))`: what the discriminator maximises (Goodfellow et al. 2014, equation 1)."""
    return -tf.reduce_mean(tf.nn.softplus(fake_score))


@_in_float32
def non_saturating_g_loss(fake_score: tf.Tensor, /) -> tf.Tensor:
    """`-E log D(G(z))`: the same fixed point, with strong gradients early on (Goodfellow et al. 2014, section 3)."""
    return tf.reduce_mean(tf.nn.softplus(-fake_score))


@_in_float32
def least_squares_d_loss(real_score: tf.Tensor, fake_score: tf.Tensor, /, a: float, b: float) -> tf.Tensor:
    """`1/2 E (D(x) - b)^2 + 1/2 E (D(G(z)) - a)^2` (Mao et al. 2017, equation 2)."""
    return 0.5 * tf.reduce_mean(tf.square(real_score - b)) + 0.5 * tf.reduce_mean(tf.square(fake_score - a))


@_in_float32
def least_squares_g_loss(fake_score: tf.Tensor, /, c: float) -> tf.Tensor:
    """`1/2 E (D(G(z)) - c)^2` (Mao et al. 2017, equation 2)."""
    return 0.5 * tf.reduce_mean(tf.square(fake_score - c))


@_in_float32
def hinge_d_loss(real_score: tf.Tensor, fake_score: tf.Tensor, /) -> tf.Tensor:
    """`E max(0, 1 - D(x)) + E max(0, 1 + D(G(z)))` (Lim and Ye 2017; Miyato et al. 2018, equation 16)."""
    return tf.reduce_mean(tf.nn.relu(1.0 - real_score)) + tf.reduce_mean(tf.nn.relu(1.0 + fake_score))


@_in_float32
def wasserstein_d_loss(real_score: tf.Tensor, fake_score: tf.Tensor, /) -> tf.Tensor:
    """`E D(G(z)) - E D(x)`: minus the Wasserstein-1 estimate of a 1-Lipschitz critic (Arjovsky et al. 2017)."""
    return tf.reduce_mean(fake_score) - tf.reduce_mean(real_score)


@_in_float32
def critic_g_loss(fake_score: tf.Tensor, /) -> tf.Tensor:
    """`-E D(G(z))` (Arjovsky et al. 2017, algorithm 1; Miyato et al. 2018, equation 17)."""
    return -tf.reduce_mean(fake_score)


@_in_float32
def relativistic_average_loss(preferred: tf.Tensor, other: tf.Tensor, /) -> tf.Tensor:
    """Cross-entropy of `preferred` scoring above the average of `other`, and `other` below that of `preferred`.

    `-E log sigmoid(C(p) - E C(o)) - E log(1 - sigmoid(C(o) - E C(p)))` (Jolicoeur-Martineau, "The relativistic
    discriminator", 2018, standard RaGAN). The discriminator prefers real, the generator fake.
    """
    average_preferred, average_other = batch_mean(sample_mean(preferred)), batch_mean(sample_mean(other))
    above = tf.reduce_mean(tf.nn.softplus(average_other - preferred))
    below = tf.reduce_mean(tf.nn.softplus(other - average_preferred))
    return above + below


@_in_float32
def energy_d_loss(real_energy: tf.Tensor, fake_energy: tf.Tensor, /, margin: float) -> tf.Tensor:
    """`E[E(x)] + E max(0, margin - E(G(z)))` (Zhao et al., "Energy-based GAN", 2017, equation 1).

    An energy map is first averaged within each sample: the paper's energy, a reconstruction error, belongs to a
    sample, so a fake sample is left alone once its own energy passes the margin, not patch by patch.
    """
    fake_shortfall = tf.nn.relu(margin - sample_mean(fake_energy))
    return tf.reduce_mean(real_energy) + tf.reduce_mean(fake_shortfall)


@_in_float32
def energy_g_loss(fake_energy: tf.Tensor, /) -> tf.Tensor:
    """`E[E(G(z))]` (Zhao et al. 2017, equation 2)."""
    return tf.reduce_mean(fake_energy)
