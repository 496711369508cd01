"""From noise to sample, step by step, with the networks of a diffusion model."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from kmatgen.diffusion.corruption import Gaussian, Periodic
from kmatgen.diffusion.fields import Field
from kmatgen.diffusion.samplers import reverse, row_noise
from kmatgen.models.sampling import Sampler
from kmatgen.models.structures import as_fields, condition_spec_of, length_of, specs_of
from kmatgen.seeds import fold_seed

Tensors = dict[str, tf.Tensor]


class DenoisingChain(Sampler):
    """What `Diffusion` knows of noise. Inside, a sample is always a dict of tensors by field."""

    denoiser: keras.Model
    encoder: keras.Model | None
    decoder: keras.Model | None
    fields: dict[str, Field]
    corruptions: dict[str, Gaussian | Periodic]
    steps: int
    guidance: float

    # What the networks take and give

    @property
    def latent_spec(self) -> Any:
        return specs_of(self.denoiser.input["sample"], "noise")

    @property
    def condition_spec(self) -> Any:
        return condition_spec_of(self.denoiser)

    @property
    def can_disregard(self) -> bool:
        """Whether the denoiser can be asked to disregard its condition, as guidance does."""
        return "known" in self.denoiser.input

    def encode_sample(self, sample: Any) -> Tensors:
        """Data to the fields on which noise is added, float32."""
        sample = sample if self.encoder is None else self.encoder(sample, training=False)
        return {name: tf.cast(tensor, tf.float32) for name, tensor in as_fields(sample).items()}

    @property
    def data_decoder(self) -> keras.Model | None:
        return self.decoder

    def decode_fields(self, fields: Tensors, condition: Any = None) -> Any:
        """Clean fields to a sample in data units."""
        return self.to_data_units(self._structured(fields), condition)

    def _structured(self, fields: Tensors) -> Any:
        return fields if isinstance(self.denoiser.input["sample"], dict) else fields["sample"]

    def predict_fields(
        self, noisy: Tensors, time: tf.Tensor, condition: Any = None, known: Any = None, training: bool = False
    ) -> Tensors:
        """The denoiser's prediction for each field, in float32, at times `(batch,)`; `known=None` heeds conditions."""
        asked = {"sample": self._structured(noisy), "time": time, "condition": condition}
        asked["known"] = tf.ones_like(time) if known is None else known
        inputs = {name: asked[name] for name in self.denoiser.input}
        for name in ("time", "known"):
            if name in inputs and len(self.denoiser.input[name].shape) == 2:
                inputs[name] = inputs[name][:, None]
        predictions = as_fields(self.denoiser(inputs, training=training))
        return {name: tf.cast(tensor, tf.float32) for name, tensor in predictions.items()}

    # Noise

    def draw_noise(self, n: tf.Tensor | int, seed: tf.Tensor) -> Tensors:
        """Pure noise for every field of `n` samples."""
        specs = as_fields(self.latent_spec)
        return {
            name: corruption.draw(tf.concat([[n], specs[name].shape[1:]], axis=0), fold_seed(seed, index))
            for index, (name, corruption) in enumerate(self.corruptions.items())
        }

    def draw_latent(self, n: tf.Tensor | int, seed: tf.Tensor) -> Any:
        """The noise that `n` samples begin from: normal, or uniform for periodic fields."""
        return self._structured(self.draw_noise(n, seed))

    def couple(self, clean: Tensors, noise: Tensors, condition: Any) -> Tensors:
        """Noise in the order in which a denoiser is trained with it, for clean fields; NaN where they are not known."""
        return {
            name: corruption.couple(clean[name], noise[name], self.fields[name].mask_of(condition))
            for name, corruption in self.corruptions.items()
        }

    def corrupt(self, clean: Tensors, noise: Tensors, time: tf.Tensor) -> Tensors:
        """Every field at times `(batch,)`."""
        return {
            name: corruption.corrupt(clean[name], noise[name], beside(time, clean[name]))
            for name, corruption in self.corruptions.items()
        }

    # The chain

    def chain(
        self,
        start: Tensors,
        condition: Any,
        steps: tf.Tensor | int,
        *,
        eta: tf.Tensor | float = 0.0,
        guidance: tf.Tensor | float = 1.0,
        row_seeds: tf.Tensor | None = None,
        start_time: tf.Tensor | float = 1.0,
        fixed: Tensors | None = None,
        noise: Tensors | None = None,
    ) -> Tensors:
        """From fields at `start_time` to clean fields.

        Args:
            start: The fields that the chain begins with.
            condition: Of each row, or None.
            steps: Number of steps.
            eta: Share of fresh noise, see `kmatgen.diffusion.DDIM`.
            guidance: Weight of classifier-free guidance.
            row_seeds: Seeds of the fresh noise, from `row_seeds_of`; needed where `eta` is not 0.
            start_time: When the chain begins.
            fixed: Clean fields that are known, NaN where they are not. They are put in after every step, as noisy as
                the rest is then (a simple form of RePaint, Lugmayr et al. 2022).
            noise: The noise that is mixed into `fixed`.
        """
        eta, guidance, start_time = (tf.convert_to_tensor(x, tf.float32) for x in (eta, guidance, start_time))
        n = length_of(start)

        def step(fields: Tensors, time: tf.Tensor, to: tf.Tensor, index: tf.Tensor) -> Tensors:
            predictions = self._guided(fields, tf.fill([n], time), condition, guidance)
            moved = {}
            for number, (name, corruption) in enumerate(self.corruptions.items()):
                fresh = self._fresh(fields[name], eta, row_seeds, index * len(fields) + number)
                moved[name] = corruption.step(fields[name], predictions[name], time, to, eta, fresh)
            return self._put_in(moved, fixed, noise, to)

        return reverse(step, self._put_in(start, fixed, noise, start_time), tf.convert_to_tensor(steps), start_time)

    def _guided(self, fields: Tensors, time: tf.Tensor, condition: Any, guidance: tf.Tensor) -> Tensors:
        """The prediction, moved on from the one without condition (Ho and Salimans 2022, equation 6)."""
        asked = self.predict_fields(fields, time, condition)
        if not self.can_disregard:
            return asked

        def move() -> Tensors:
            free = self.predict_fields(fields, time, condition, known=tf.zeros_like(time))
            return {name: free[name] + guidance * (asked[name] - free[name]) for name in asked}

        return tf.cond(tf.equal(guidance, 1.0), lambda: asked, move)

    @staticmethod
    def _fresh(field: tf.Tensor, eta: tf.Tensor, row_seeds: tf.Tensor | None, number: tf.Tensor) -> tf.Tensor:
        if row_seeds is None:
            return tf.zeros_like(field)
        shape = tuple(field.shape[1:])
        return tf.cond(eta > 0, lambda: row_noise(row_seeds, number, shape), lambda: tf.zeros_like(field))

    def _put_in(self, fields: Tensors, fixed: Tensors | None, noise: Tensors | None, time: tf.Tensor) -> Tensors:
        if fixed is None:
            return fields
        placed = {}
        for name, corruption in self.corruptions.items():
            free = tf.math.is_nan(fixed[name])
            clean = tf.where(free, tf.zeros_like(fixed[name]), fixed[name])
            # Clean at the end, also for a schedule that never quite is.
            noisy = tf.where(time > 0, corruption.corrupt(clean, noise[name], time), clean)
            placed[name] = tf.where(free, fields[name], noisy)
        return placed

    def denoise(self, noisy: Tensors, time: tf.Tensor, condition: Any = None) -> Tensors:
        """The clean fields that the denoiser sees in noisy ones at times `(batch,)`, on the scale of training."""
        predictions = self.predict_fields(noisy, time, condition)
        return {
            name: corruption.clean_of(predictions[name], noisy[name], beside(time, noisy[name]))
            for name, corruption in self.corruptions.items()
        }

    def decode_latent(self, latent: Any, condition: Any = None) -> Any:
        """Noise to samples in data units along the deterministic path, with the model's steps and guidance."""
        fields = self.chain(as_fields(latent), condition, self.steps, guidance=self.guidance)
        return self.decode_fields(fields, condition)


def beside(time: tf.Tensor, tensor: tf.Tensor) -> tf.Tensor:
    """Times `(batch,)` with as many axes as the tensor."""
    return tf.reshape(time, [-1] + [1] * (len(tensor.shape) - 1))
