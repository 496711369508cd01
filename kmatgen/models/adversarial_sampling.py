"""How a GAN is asked: noise to samples, samples to scores, and the signatures of an export."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kmatgen.adversarial.round import Term, discriminate
from kmatgen.errors import InputError
from kmatgen.models.sampling import Sampler, Signatures
from kmatgen.models.structures import (
    checked_arrays,
    checked_condition,
    condition_spec_of,
    known_classes,
    length_of,
    part_of,
    specs_of,
)


class AdversarialSampler(Sampler):
    """The sampling half of `GAN`."""

    generator: keras.Model
    discriminator: keras.Model
    decoder: keras.Model | None
    terms: list[Term]

    @property
    def latent_spec(self) -> tf.TensorSpec:
        return tf.TensorSpec(part_of(self.generator.input, "noise").shape, tf.float32, name="noise")

    @property
    def condition_spec(self) -> Any:
        return condition_spec_of(self.generator)

    @property
    def condition_classes(self) -> int | None:
        return known_classes(self.generator)

    def decode_latent(self, latent: Any, condition: Any = None) -> Any:
        """Noise to samples in data units, float32."""
        inputs = latent if condition is None else {"noise": latent, "condition": condition}
        return self.to_data_units(self.generator(inputs, training=False), condition)

    @property
    def data_decoder(self) -> keras.Model | None:
        return self.decoder

    @property
    def drawing_term(self) -> Any:
        """The term that draws the conditions itself, as InfoGAN's does, or None."""
        return next((term for term in self.terms if hasattr(term, "draw_condition")), None)

    @property
    def draws_all_conditions(self) -> bool:
        """Whether samples can be drawn without asking for anything: a prior or a term draws what could be asked for."""
        return self.drawing_term is not None or super().draws_all_conditions

    def drawn_condition(self, n: tf.Tensor | int, seed: tf.Tensor | int) -> Any:
        """Conditions from the term that has some to draw, else from the prior."""
        if self.drawing_term is not None:
            return self.drawing_term.draw_condition(n, tf.stack([tf.cast(seed, tf.int32), 1]))
        return super().drawn_condition(n, seed)

    def check_condition(self, condition: Any, n: int, seed: int | None) -> Any:
        """As for any model; what is not given is drawn by the term that has conditions to draw."""
        if condition is None and seed is not None and self.drawing_term is not None:
            return self.drawn_condition(n, seed)
        return super().check_condition(condition, n, seed)

    def score(self, samples: Any, condition: Any = None, batch_size: int = 64) -> np.ndarray:
        """The discriminator's scores of samples.

        Args:
            samples: `(n, ...)` on the scale of training, or a dict of such arrays.
            condition: Of each, or one for all, where the discriminator takes one.
            batch_size: Samples judged at a time.

        Raises:
            InputError: The samples are not of the discriminator's shapes, or a condition is missing or not wanted.
        """
        samples = checked_arrays(samples, specs_of(part_of(self.discriminator.input, "sample"), "sample"))
        given = [keras.tree.map_structure(tf.convert_to_tensor, samples)]
        wanted = condition_spec_of(self.discriminator)
        if wanted is not None:
            given.append(checked_condition(condition, wanted, int(length_of(samples))))
        elif condition is not None:
            raise InputError(f"This discriminator takes no condition. Received: condition={condition!r}.")

        def score(*rows: Any) -> tf.Tensor:
            return discriminate(self.discriminator, *rows, training=False)["score"]

        return self.run_in_batches(score, *given, batch_size=batch_size)

    def signatures(self) -> Signatures:
        """Those of every model, and `score`."""
        sample = specs_of(part_of(self.discriminator.input, "sample"), "image")
        condition = condition_spec_of(self.discriminator)
        structure = [sample] if condition is None else [sample, condition]

        def score(*given: tf.Tensor) -> dict[str, tf.Tensor]:
            return discriminate(self.discriminator, *keras.tree.pack_sequence_as(structure, given), training=False)

        return {**super().signatures(), "score": (score, keras.tree.flatten(structure))}
