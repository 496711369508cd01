"""The diffusion model: one training step for every schedule, target, field, condition and network."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from kmatgen import registry
from kmatgen.diffusion.corruption import Gaussian
from kmatgen.diffusion.fields import get_fields
from kmatgen.diffusion.prior import EmpiricalPrior
from kmatgen.diffusion.schedules import get_schedule
from kmatgen.errors import InputError
from kmatgen.models.base import Logs
from kmatgen.models.batches import checked_conditions, checked_samples
from kmatgen.models.chain import beside
from kmatgen.models.denoising import DenoisingSampler
from kmatgen.models.single_loss import SingleLossModel
from kmatgen.models.structures import as_fields, length_of, samples_and_conditions, shapes_of
from kmatgen.registry import register
from kmatgen.seeds import fold_seed

_TIMES = ("stratified", "uniform")
_WEIGHTINGS = ("uniform", "min_snr")


@register("model")
class Diffusion(DenoisingSampler, SingleLossModel):
    """Denoising diffusion (Ho, Jain and Abbeel 2020) of tensors or of dicts of tensors, in continuous time.

    Data are samples, or pairs of samples and conditions `(x, y)`; both may be dicts of tensors. The denoiser says what
    it takes: `{"sample", "time"}`, where it is conditional `"condition"` too, and where it can be asked to disregard
    the condition, for classifier-free guidance, `"known"` as well. Shapes: `sample` and `condition` a batch of tensors
    or of dicts of them; `time` `(batch,)` or `(batch, 1)`, from 0, clean, to 1, noise; `known` `(batch,)` or
    `(batch, 1)`, 1 where the condition is to be heeded and 0 elsewhere. It returns the structure of the sample.

    Args:
        denoiser: Functional network, as above.
        encoder: Functional network from data units to the scale on which noise is added, about zero mean and unit
            variance or [-1, 1]. `None`: data come on that scale.
        decoder: Functional network back from there to data units, of the sample, or of a dict of `sample` and
            `condition`; it may make other fields of them. `None`: samples stay on that scale.
        schedule: Noise schedule of fields without one of their own, see `kmatgen.diffusion.schedules`.
        target: What the denoiser predicts of such fields: `"velocity"`, `"noise"` or `"sample"`.
        fields: How each tensor of the sample is corrupted: a `kmatgen.diffusion.Field`, or a dict of these by name.
        prior: Draws conditions, or entries of them, that `generate` is not given.
        steps: Steps of sampling, unless `generate` is asked for another number.
        sampler: Sampler, or its name, unless `generate` is asked for another: `"ddim"` or `"ancestral"`.
        guidance: Weight of classifier-free guidance, unless `generate` is asked for another: 1 is none.
        seed: Seed of the model's random state.
        name: Name of the model.

    Raises:
        InputError: The networks do not fit each other, or an argument is none of its kind.
    """

    NETWORKS = ("denoiser", "encoder", "decoder")

    def __init__(
        self,
        denoiser: keras.Model,
        encoder: keras.Model | None = None,
        decoder: keras.Model | None = None,
        schedule: Any = "cosine",
        target: str = "velocity",
        fields: Any = None,
        prior: EmpiricalPrior | None = None,
        steps: int = 50,
        sampler: Any = "ddim",
        guidance: float = 1.0,
        seed: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        networks = {"denoiser": denoiser, "encoder": encoder, "decoder": decoder}
        super().__init__(networks, seed=seed, name=name, **kwargs)
        self._check_networks()
        self.schedule = get_schedule(schedule)
        self.target = target
        self.fields = get_fields(fields, sorted(as_fields(self.sample_input)))
        plain = Gaussian(self.schedule, target)
        self.corruptions = {
            field: plain if of.corruption is None else of.corruption for field, of in self.fields.items()
        }
        self.prior = None if prior is None else registry.get("layer", prior)
        self.steps = self.check_steps(steps)
        self.sampler = registry.get("sampler", sampler)
        self.guidance = self.check_guidance(guidance)
        self._check_conditions()
        self.add_trackers(self._logs)

    def _check_networks(self) -> None:
        inputs = self.denoiser.input
        known = {"sample", "time", "condition", "known"}
        if not isinstance(inputs, dict) or not {"sample", "time"} <= set(inputs) <= known:
            received = ", ".join(sorted(inputs)) if isinstance(inputs, dict) else "one input"
            raise InputError(
                f'A denoiser takes "sample" and "time", and may take "condition" and "known". Received: {received}.'
            )
        wanted = shapes_of(self.sample_input)
        if shapes_of(self.denoiser.output) != wanted:
            raise InputError(
                f"A denoiser returns what its sample is, {wanted}. Received: {shapes_of(self.denoiser.output)}."
            )
        if self.encoder is not None and shapes_of(self.encoder.output) != wanted:
            raise InputError(f"An encoder gives the sample, {wanted}. Received: {shapes_of(self.encoder.output)}.")

    def _check_conditions(self) -> None:
        entries = set(self.condition_entries)
        twice = sorted((entries & set(self.fields)) | ((entries | set(self.fields)) & {"n", "seed", "steps", "time"}))
        if twice:
            raise InputError(
                "Fields and entries of the condition have names that differ, for the signatures of an export, and are "
                f"not called n, seed, steps or time. Received: {twice[0]!r}."
            )
        masks = {field.mask for field in self.fields.values()} - {None}
        if masks - entries:
            raise InputError(f"A mask is an entry of the condition. Received: mask={min(masks - entries)!r}.")
        kept = set() if self.prior is None else set(self.prior.entries)
        if kept - entries:
            raise InputError(
                f"A prior draws entries of the condition: {', '.join(sorted(entries)) or 'none'}. "
                f"Received: {', '.join(sorted(kept))}."
            )

    @property
    def sample_input(self) -> Any:
        """The denoiser's symbolic sample: a tensor or a dict of tensors."""
        return self.denoiser.input["sample"]

    @property
    def _logs(self) -> list[str]:
        return ["loss"] if len(self.fields) == 1 else ["loss", *(f"{name}_loss" for name in self.fields)]

    def get_config(self) -> dict[str, Any]:
        save = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "schedule": save(self.schedule),
            "target": self.target,
            "fields": {name: save(field) for name, field in self.fields.items()},
            "prior": save(self.prior),
            "steps": self.steps,
            "sampler": save(self.sampler),
            "guidance": self.guidance,
        }

    # Compilation

    def compile(
        self,
        optimizer: Any = "adam",
        loss_weights: dict[str, float] | None = None,
        weighting: str = "uniform",
        time_sampling: str = "stratified",
        condition_dropout: float = 0.0,
        **execution: Any,
    ) -> None:
        """Choose how to train.

        Args:
            optimizer: Keras optimiser, or its name.
            loss_weights: Factor of each field's mean squared error, 1 for those left out.
            weighting: Of times: `"uniform"`, or `"min_snr"`, which lets almost clean samples count less.
            time_sampling: `"stratified"` spreads the times of a batch evenly over [0, 1], at random together
                (Kingma et al. 2021, appendix I.1); `"uniform"` draws each by itself.
            condition_dropout: Share of samples that are trained without their condition, for guidance; 0.1 is usual.
            **execution: `run_eagerly`, `steps_per_execution`, `jit_compile`, as in `GenerativeModel.compile`.

        Raises:
            InputError: An argument is out of range, or the denoiser cannot disregard its condition.
        """
        if weighting not in _WEIGHTINGS or time_sampling not in _TIMES:
            raise InputError(
                f"weighting is one of {', '.join(_WEIGHTINGS)}, time_sampling one of {', '.join(_TIMES)}. "
                f"Received: {weighting!r}, {time_sampling!r}."
            )
        named = loss_weights is None or isinstance(loss_weights, dict)
        unknown = named and set(loss_weights or {}) - set(self.fields)
        if not named or unknown or any(weight < 0 for weight in (loss_weights or {}).values()):
            raise InputError(
                f"loss_weights has numbers of at least 0 for {', '.join(self.fields)}. Received: {loss_weights}."
            )
        if not 0 <= condition_dropout < 1 or (condition_dropout and not self.can_disregard):
            raise InputError(
                'condition_dropout is at least 0 and below 1, and needs a denoiser with the input "known". '
                f"Received: {condition_dropout} with {', '.join(sorted(self.denoiser.input))}."
            )
        self.loss_weights = {name: float((loss_weights or {}).get(name, 1.0)) for name in self.fields}
        self.weighting = weighting
        self.time_sampling = time_sampling
        self.condition_dropout = condition_dropout
        optimizer = self.prepare_optimizer(optimizer, self.denoiser.trainable_variables)
        arguments = {
            "optimizer": optimizer,
            "loss_weights": self.loss_weights,
            "weighting": weighting,
            "time_sampling": time_sampling,
            "condition_dropout": condition_dropout,
        }
        super().compile(optimizer, arguments, **execution)

    # Training

    @property
    def trained_variables(self) -> list[keras.Variable]:
        return self.denoiser.trainable_variables

    def checked_data(self, data: Any) -> tuple[Any, Any]:
        sample, condition = samples_and_conditions(data)
        if condition is None and self.condition_spec is not None:
            raise InputError("A conditional denoiser trains on pairs of sample and condition. Received: samples alone.")
        wanted = self.sample_input if self.encoder is None else self.encoder.input
        return checked_samples(sample, wanted), checked_conditions(condition, self.denoiser)

    def losses_of(self, sample: Any, told: Any, seed: tf.Tensor, training: bool) -> tuple[tf.Tensor, Logs]:
        # Times are spread evenly, so that a loss on held-out data means something; conditions are dropped in training.
        clean = self.encode_sample(sample)
        time = self._draw_times(length_of(clean), fold_seed(seed, 0))
        known = None
        if training and self.condition_dropout:
            known = tf.cast(
                tf.random.stateless_uniform(tf.shape(time), fold_seed(seed, 1)) >= self.condition_dropout, tf.float32
            )
        noise = self.couple(clean, self.draw_noise(length_of(clean), fold_seed(seed, 2)), told)
        predictions = self.predict_fields(self.corrupt(clean, noise, time), time, told, known, training)
        losses = {}
        for name, corruption in self.corruptions.items():
            at = beside(time, clean[name])
            weight = corruption.min_snr_weight(at) if self.weighting == "min_snr" else 1.0
            error = predictions[name] - corruption.target_of(clean[name], noise[name], at)
            losses[name] = self.fields[name].loss(error, told, weight)
        total = tf.add_n([self.loss_weights[name] * loss for name, loss in losses.items()])
        logs = {"loss": total, **{f"{name}_loss": loss for name, loss in losses.items()}}
        return total, {name: logs[name] for name in self._logs}

    def _draw_times(self, n: tf.Tensor | int, seed: tf.Tensor) -> tf.Tensor:
        if self.time_sampling == "uniform":
            return tf.random.stateless_uniform([n], seed)
        shift = tf.random.stateless_uniform([1], seed)
        spread = (tf.range(n, dtype=tf.float32) + shift) / tf.cast(n, tf.float32)
        return tf.minimum(spread, 1.0)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """What the denoiser predicts of its inputs."""
        return self.denoiser(inputs, training=training)
