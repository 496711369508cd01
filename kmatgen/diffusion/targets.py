"""What a denoiser is trained to predict of `noisy = alpha clean + sigma noise`, and how to read a prediction.

* `"noise"`: the noise (Ho, Jain and Abbeel 2020).
* `"sample"`: the clean sample.
* `"velocity"`: `alpha noise - sigma clean` (Salimans and Ho 2022), well scaled at both ends of time: the default.
"""

from __future__ import annotations

import tensorflow as tf

TARGETS = ("noise", "sample", "velocity")
# Less of the sample than this cannot be told from the noise: what bounds a division where alpha is 0.
_SMALLEST = 1e-3


def target_of(target: str, clean: tf.Tensor, noise: tf.Tensor, alpha: tf.Tensor, sigma: tf.Tensor) -> tf.Tensor:
    """What the denoiser should predict."""
    if target == "noise":
        return noise
    if target == "sample":
        return clean
    return alpha * noise - sigma * clean


def clean_of(target: str, prediction: tf.Tensor, noisy: tf.Tensor, alpha: tf.Tensor, sigma: tf.Tensor) -> tf.Tensor:
    """The clean sample that a prediction stands for."""
    if target == "noise":
        return (noisy - sigma * prediction) / tf.maximum(alpha, _SMALLEST)
    if target == "sample":
        return prediction
    return alpha * noisy - sigma * prediction


def noise_of(noisy: tf.Tensor, clean: tf.Tensor, alpha: tf.Tensor, sigma: tf.Tensor) -> tf.Tensor:
    """The noise between a noisy sample and a clean one."""
    return (noisy - alpha * clean) / tf.maximum(sigma, _SMALLEST)


def min_snr_weight(target: str, snr: tf.Tensor, gamma: float = 5.0) -> tf.Tensor:
    """Weight of the squared error at a signal-to-noise ratio: easy, almost clean samples count less.

    It is `min(snr, gamma)` for the sample, divided by what turns an error of the sample into one of the target.

    Source: Hang et al. 2023, section 3.4 and appendix.
    """
    capped = tf.minimum(snr, gamma)
    if target == "noise":
        return capped / tf.maximum(snr, 1e-8)
    if target == "sample":
        return capped
    return capped / (snr + 1.0)
