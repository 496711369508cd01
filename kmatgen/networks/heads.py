"""What a discriminator says of a sample: its score, and what else terms read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras import layers

from kmatgen.errors import InputError
from kmatgen.networks.conditions import Condition
from kmatgen.networks.parts import spectral


@dataclass(frozen=True)
class Heads:
    """Makes the outputs of a discriminator from its last features, flat ones.

    Args:
        classes: Size of `class_logits`, for an auxiliary classifier; None for no such output.
        code_categories: Size of `code_logits`, for a categorical code of InfoGAN; None for no such output.
        code_continuous: Size of `code_mean`, for continuous codes of InfoGAN; None for no such output.
        features: Whether the features are an output, too.
        initializer: Makes a kernel initialiser for each dense layer.
        is_spectral: Normalise kernels spectrally.
    """

    classes: int | None
    code_categories: int | None
    code_continuous: int | None
    features: bool
    initializer: Callable[[], Any]
    is_spectral: bool

    def outputs(self, x: Any, given: Any, condition: Condition, conditioning: str) -> dict[str, Any]:
        """The outputs by name, in float32.

        Args:
            x: The last features `(batch, size)`.
            given: The symbolic condition, or None.
            condition: What it is, see `kmatgen.networks.conditions`.
            conditioning: With `"projection"` the condition changes the score, by `project`.

        Raises:
            InputError: A head without an output.
        """
        score = self._dense(1, "score")(x)
        if conditioning == "projection":
            score = project(score, x, given, condition, self.is_spectral)
        outputs = {"score": score}
        sizes = {
            "class_logits": self.classes,
            "code_logits": self.code_categories,
            "code_mean": self.code_continuous,
        }
        for name, units in sizes.items():
            if units is not None:
                outputs[name] = self._dense(units, name)(x)
        if self.features:
            outputs["features"] = layers.Activation("linear", dtype="float32", name="features")(x)
        return outputs

    def _dense(self, units: int, name: str) -> layers.Layer:
        if units < 1:
            raise InputError(f"A head has at least 1 output. Received: {units} for {name}.")
        layer = layers.Dense(units, kernel_initializer=self.initializer(), dtype="float32", name=name)
        return spectral(layer, self.is_spectral)


def project(score: Any, features: Any, given: Any, condition: Condition, is_spectral: bool) -> Any:
    """Add the inner product of the embedded condition and the features to the score.

    Source: Miyato and Koyama 2018, equation 3.
    """
    options = {"dtype": "float32", "name": "projection"}
    if "classes" in condition:
        embed = layers.Embedding(condition["classes"], features.shape[-1], **options)
    else:
        embed = layers.Dense(features.shape[-1], use_bias=False, **options)
    product = layers.Dot(axes=-1, dtype="float32", name="projected")([spectral(embed, is_spectral)(given), features])
    return layers.Add(dtype="float32", name="score_with_condition")([score, product])
