"""How a diffusion model is asked for samples: requests, their checks, and the signatures of an export."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kmatgen import registry
from kmatgen.diffusion.samplers import DDIM
from kmatgen.errors import InputError
from kmatgen.models.chain import DenoisingChain, Tensors
from kmatgen.models.requirements import require
from kmatgen.models.sampling import Signatures, named
from kmatgen.models.structures import as_fields, floats_of, known_classes, specs_of
from kmatgen.seeds import fold_seed, sample_seed


class DenoisingSampler(DenoisingChain):
    """The sampling half of `Diffusion`."""

    sampler: DDIM

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
        known, similar = self._check_sample(fixed, n, "fixed"), self._check_sample(near, n, "near")
        if fixed is not None or near is not None:
            noise = self.couple(known if near is None else similar, noise, wanted)
        start, start_time = noise, 1.0
        if near is not None:
            start, start_time = self._begun(similar, noise, strength), float(strength)
        scalars = (tf.constant(steps), *(tf.constant(x, tf.float32) for x in (sampler.eta, guidance, start_time)))

        rows = [self._structured(start), self._structured(noise), self._structured(known), row_seeds_of(n, seed)]
        rows += [] if wanted is None else [wanted]
        return self.run_in_batches(partial(self._sampling, *scalars), *rows, batch_size=batch_size)

    @property
    def condition_classes(self) -> int | None:
        return known_classes(self.denoiser)

    def _begun(self, samples: Tensors, noise: Tensors, strength: float) -> Tensors:
        """Samples with so much noise that the chain may begin from them, or an error where parts are missing."""
        start = self.corrupt(samples, noise, tf.fill([len(next(iter(samples.values())))], float(strength)))
        if any(np.isnan(values).any() for values in start.values()):
            raise InputError("near is a complete sample. Received: one with NaN or with fields left out.")
        return start

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
            values = floats_of(argument, given.get(name, np.full(single, np.nan)))
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
            steps = require(steps >= 1, "steps is at least 1. Received:", steps, of=steps)
            noise, row_seeds = self.draw_latent(n, sample_seed(seed)), row_seeds_of(n, seed)
            eta = {"eta": self.sampler.eta, "row_seeds": row_seeds if self.sampler.eta else None}
            fields = self.chain(as_fields(noise), condition, steps, guidance=self.guidance, **eta)
            return named(self.decode_fields(fields, condition))

        def sample(n: tf.Tensor, seed: tf.Tensor, steps: tf.Tensor) -> dict[str, tf.Tensor]:
            return drawn(n, seed, steps, self.drawn_condition(n, seed))

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
        if not self.draws_all_conditions:
            return {**signatures, "sample": asking}
        return {**signatures, "sample": (sample, scalars), "sample_for": asking}


def row_seeds_of(n: tf.Tensor | int, seed: tf.Tensor | int) -> tf.Tensor:
    """What the fresh noise of `n` samples is drawn from, `(n, 2)`: the user's seed and the sample's number."""
    # Other than the seeds of latent points and conditions, whose second number is made by folding.
    own = fold_seed(sample_seed(seed), 4)[0]
    return tf.stack([tf.fill([n], tf.cast(own, tf.int32)), tf.range(n)], axis=1)
