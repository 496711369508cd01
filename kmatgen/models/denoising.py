"""How a diffusion model is sampled: the chain from noise to sample, in one TensorFlow function."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kmatgen import registry
from kmatgen.diffusion.corruption import Gaussian, Periodic
from kmatgen.diffusion.prior import EmpiricalPrior
from kmatgen.diffusion.samplers import DDIM, reverse, row_noise
from kmatgen.errors import InputError
from kmatgen.models.sampling import Sampler, Signatures, fold_seed, named, sample_seed
from kmatgen.models.structures import (
    as_fields,
    check_classes,
    check_rows,
    classes_in_turn,
    condition_spec_of,
    length_of,
    specs_of,
)

Tensors = dict[str, tf.Tensor]


class DenoisingSampler(Sampler):
    """The sampling half of `Diffusion`. Inside, a sample is always a dict of tensors by field."""

    denoiser: keras.Model
    encoder: keras.Model | None
    decoder: keras.Model | None
    corruptions: dict[str, Gaussian | Periodic]
    prior: EmpiricalPrior | None
    sampler: DDIM
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
    def condition_entries(self) -> dict[str, tf.TensorSpec]:
        """The entries of a condition by name; a condition that is a tensor is the only one, `"condition"`."""
        spec = self.condition_spec
        return {} if spec is None else spec if isinstance(spec, dict) else {"condition": spec}

    @property
    def can_disregard(self) -> bool:
        """Whether the denoiser can be asked to disregard its condition, as guidance does."""
        return "known" in self.denoiser.input

    def example_condition(self, n: int) -> Any:
        """The classes in turn, for a denoiser of classes that has no prior to draw them from."""
        return None if self.prior is not None else classes_in_turn(self.denoiser, n)

    def encode_sample(self, sample: Any) -> Tensors:
        """Data to the fields on which noise is added, float32."""
        sample = sample if self.encoder is None else self.encoder(sample, training=False)
        return {name: tf.cast(tensor, tf.float32) for name, tensor in as_fields(sample).items()}

    def decode_fields(self, fields: Tensors, condition: Any = None) -> Any:
        """Clean fields to a sample in data units."""
        sample = self._structured(fields)
        if self.decoder is not None:
            inputs = self.decoder.input
            takes_condition = isinstance(inputs, dict) and set(inputs) == {"sample", "condition"}
            if takes_condition and isinstance(condition, dict):
                condition = {name: condition[name] for name in inputs["condition"]}
            sample = self.decoder({"sample": sample, "condition": condition} if takes_condition else sample)
        return keras.tree.map_structure(lambda x: tf.cast(x, tf.float32) if x.dtype.is_floating else x, sample)

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

    def decode_latent(self, latent: Any, condition: Any = None) -> Any:
        """Noise to samples in data units along the deterministic path, with the model's steps and guidance."""
        fields = self.chain(as_fields(latent), condition, self.steps, guidance=self.guidance)
        return self.decode_fields(fields, condition)

    @cached_property
    def _sampling(self) -> Callable[..., Any]:
        """The chain of one batch, traced once for all sizes, numbers of steps and samplers."""
        latent, seeds = self.latent_spec, tf.TensorSpec((None, 2), tf.int32)
        scalars = [tf.TensorSpec((), tf.int32), *[tf.TensorSpec((), tf.float32)] * 3]
        condition = [] if self.condition_spec is None else [self.condition_spec]

        def sample(
            steps: tf.Tensor, eta: tf.Tensor, guidance: tf.Tensor, start_time: tf.Tensor,
            start: Any, noise: Any, fixed: Any, row_seeds: tf.Tensor, condition: Any = None,
        ) -> Any:  # fmt: skip
            fields = self.chain(
                as_fields(start), condition, steps, eta=eta, guidance=guidance, row_seeds=row_seeds,
                start_time=start_time, fixed=as_fields(fixed), noise=as_fields(noise),
            )  # fmt: skip
            return self.decode_fields(fields, condition)

        return tf.function(sample, input_signature=[*scalars, latent, latent, latent, seeds, *condition])

    # Requests

    def generate(
        self,
        n: int,
        condition: Any = None,
        *,
        seed: int | None = None,
        batch_size: int = 64,
        steps: int | None = None,
        sampler: Any = None,
        guidance: float | None = None,
        fixed: Any = None,
        near: Any = None,
        strength: float = 0.5,
    ) -> np.ndarray | dict[str, np.ndarray]:
        """Draw `n` samples.

        Args:
            n: Number of samples, at least 1.
            condition: What is asked for, one for each sample or one for all. Entries that are left out are drawn from
                the model's prior, where it has one.
            seed: The same seed gives the same samples, whatever the batch size, here and from an export.
            batch_size: Samples computed at a time.
            steps: Number of steps. `None`: the model's.
            sampler: `"ddim"`, `"ancestral"`, or an object. `None`: the model's.
            guidance: Weight of classifier-free guidance: 1 heeds the condition as it was trained, more exaggerates it.
                `None`: the model's.
            fixed: What is known of the samples, NaN where it is not: one sample, or one for each; of a dict some
                fields. In data units where the model has an encoder, else on the scale of training.
            near: Samples to begin from instead of noise, as `fixed` but complete: the results resemble them.
            strength: With `near`, how much noise they are given first, above 0 (all but the same) up to 1 (forgotten).

        Returns:
            `(n, ...)` float32 in data units, or a dict of such arrays.

        Raises:
            InputError: An argument cannot be used, or a condition is missing, of the wrong shape or not wanted.
        """
        seed = self.check_request(n, seed)
        steps = self.steps if steps is None else self.check_steps(steps)
        guidance = self.guidance if guidance is None else self.check_guidance(guidance)
        sampler = self.sampler if sampler is None else registry.get("sampler", sampler)
        if not 0 < strength <= 1:
            raise InputError(f"strength is above 0 and at most 1. Received: {strength}.")
        wanted = None
        if self.condition_spec is not None or condition is not None:
            wanted = self.check_condition(condition, n, seed)
        noise = as_fields(self.draw_latent(n, sample_seed(seed)))
        known = self._check_sample(fixed, n, "fixed")
        start, start_time = noise, 1.0
        if near is not None:
            start_time = float(strength)
            start = self.corrupt(self._check_sample(near, n, "near"), noise, tf.fill([n], start_time))
            if any(np.isnan(values).any() for values in start.values()):
                raise InputError("near is a complete sample. Received: one with NaN or with fields left out.")
        scalars = (tf.constant(steps), *(tf.constant(x, tf.float32) for x in (sampler.eta, guidance, start_time)))

        rows = [self._structured(start), self._structured(noise), self._structured(known), row_seeds_of(n, seed)]
        rows += [] if wanted is None else [wanted]
        return self.run_in_batches(partial(self._sampling, *scalars), *rows, batch_size=batch_size)

    def check_condition(self, condition: Any, n: int, seed: int) -> Any:
        spec, entries = self.condition_spec, self.condition_entries
        check_classes(self.denoiser, condition)
        if self.prior is None or spec is None:
            return super().check_condition(condition, n, seed)
        given = {} if condition is None else condition if isinstance(spec, dict) else {"condition": condition}
        if not isinstance(given, dict) or set(given) - set(entries):
            received = ", ".join(sorted(given)) if isinstance(given, dict) else repr(given)
            raise InputError(f"This model's condition has {', '.join(sorted(entries))}. Received: {received}.")
        missing = sorted(set(entries) - set(given) - set(self.prior.entries))
        if missing:
            raise InputError(f"This model has no prior for the condition {missing[0]!r}. Received: none.")
        drawn = self.draw_conditions(n, seed)
        rows = {
            name: check_rows(given[name], entry, n) if name in given else drawn[name] for name, entry in entries.items()
        }
        return rows if isinstance(spec, dict) else rows["condition"]

    def draw_conditions(self, n: tf.Tensor | int, seed: tf.Tensor | int) -> Tensors:
        """Entries of `n` conditions by name, from the prior; those of sample `i` depend on the seed and `n` alone."""
        rows = self.prior.draw(n, fold_seed(sample_seed(seed), 3))
        return {name: tf.cast(row, self.condition_entries[name].dtype) for name, row in rows.items()}

    def _check_sample(self, sample: Any, n: int, argument: str) -> Tensors:
        """A sample, or parts of one, for each of `n` rows, on the scale of training; NaN where nothing is given."""
        symbolic = self.denoiser.input["sample"] if self.encoder is None else self.encoder.input
        specs = as_fields(specs_of(symbolic, "sample"))
        given = {} if sample is None else as_fields(sample)
        if set(given) - set(specs):
            raise InputError(f"{argument} has fields of {', '.join(specs)}. Received: {', '.join(sorted(given))}.")
        rows = {}
        for name, spec in specs.items():
            single = tuple(spec.shape[1:])
            values = np.asarray(given.get(name, np.full(single, np.nan)), np.float32)
            if values.shape not in (single, (n, *single)):
                raise InputError(
                    f"{argument} is {single}, or {(n, *single)} with one for each sample. Received: {values.shape}."
                )
            rows[name] = np.broadcast_to(values, (n, *single))
        return self.encode_sample(rows if isinstance(symbolic, dict) else rows["sample"])

    @staticmethod
    def check_steps(steps: Any) -> int:
        """A number of steps, or an error that says what one is."""
        if not isinstance(steps, int | np.integer) or steps < 1:
            raise InputError(f"steps is a whole number of at least 1. Received: {steps!r}.")
        return int(steps)

    def check_guidance(self, guidance: float) -> float:
        """A weight of guidance that this model can follow, or an error that says why it cannot."""
        if guidance != 1 and not self.can_disregard:
            raise InputError(
                'guidance other than 1 needs a denoiser with the input "known", trained with condition_dropout. '
                f"Received: {guidance}."
            )
        if guidance != 1 and getattr(self, "condition_dropout", None) == 0:
            raise InputError(
                f"guidance other than 1 needs a model that was compiled with condition_dropout. Received: {guidance}."
            )
        return float(guidance)

    # Export

    def signatures(self) -> Signatures:
        """Those of every model, with `steps` in `sample`; `denoise`; `sample_for` where a prior may draw conditions."""
        specs = [self.latent_spec] if self.condition_spec is None else [self.latent_spec, self.condition_spec]
        scalars = [tf.TensorSpec((), tf.int32, name=name) for name in ("n", "seed", "steps")]

        def drawn(n: tf.Tensor, seed: tf.Tensor, steps: tf.Tensor, condition: Any) -> dict[str, tf.Tensor]:
            noise, row_seeds = self.draw_latent(n, sample_seed(seed)), row_seeds_of(n, seed)
            eta = {"eta": self.sampler.eta, "row_seeds": row_seeds if self.sampler.eta else None}
            fields = self.chain(as_fields(noise), condition, steps, guidance=self.guidance, **eta)
            return named(self.decode_fields(fields, condition))

        def sample(n: tf.Tensor, seed: tf.Tensor, steps: tf.Tensor) -> dict[str, tf.Tensor]:
            rows = None if self.prior is None else self.draw_conditions(n, seed)
            return drawn(n, seed, steps, rows if rows is None or isinstance(specs[1], dict) else rows["condition"])

        def sample_for(n: tf.Tensor, seed: tf.Tensor, steps: tf.Tensor, *given: tf.Tensor) -> dict[str, tf.Tensor]:
            return drawn(n, seed, steps, *keras.tree.pack_sequence_as(specs[1:], given))

        def denoise(time: tf.Tensor, *given: tf.Tensor) -> dict[str, tf.Tensor]:
            noisy, *condition = keras.tree.pack_sequence_as(specs, given)
            return named(self.decode_fields(self.denoise(as_fields(noisy), time, *condition), *condition))

        time = tf.TensorSpec((None,), tf.float32, name="time")
        signatures = {**super().signatures(), "denoise": (denoise, [time, *keras.tree.flatten(specs)])}
        asking = (sample_for, [*scalars, *keras.tree.flatten(specs[1:])])
        if not self.condition_entries:
            return {**signatures, "sample": (sample, scalars)}
        if self.prior is None or set(self.prior.entries) != set(self.condition_entries):
            return {**signatures, "sample": asking}
        return {**signatures, "sample": (sample, scalars), "sample_for": asking}

    def denoise(self, noisy: Tensors, time: tf.Tensor, condition: Any = None) -> Tensors:
        """The clean fields that the denoiser sees in noisy ones at times `(batch,)`, on the scale of training."""
        predictions = self.predict_fields(noisy, time, condition)
        return {
            name: corruption.clean_of(predictions[name], noisy[name], beside(time, noisy[name]))
            for name, corruption in self.corruptions.items()
        }


def beside(time: tf.Tensor, tensor: tf.Tensor) -> tf.Tensor:
    """Times `(batch,)` with as many axes as the tensor."""
    return tf.reshape(time, [-1] + [1] * (len(tensor.shape) - 1))


def row_seeds_of(n: tf.Tensor | int, seed: tf.Tensor | int) -> tf.Tensor:
    """What the fresh noise of `n` samples is drawn from, `(n, 2)`: the user's seed and the sample's number."""
    # Other than the seeds of latent points and conditions, whose second number is made by folding.
    own = fold_seed(sample_seed(seed), 4)[0]
    return tf.stack([tf.fill([n], tf.cast(own, tf.int32)), tf.range(n)], axis=1)
