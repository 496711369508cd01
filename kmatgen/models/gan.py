"""The generative adversarial network: one training step for every loss, term, condition and network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from kmatgen import registry
from kmatgen.adversarial.losses import AdversarialLoss
from kmatgen.adversarial.round import Round, Term, discriminate
from kmatgen.diffusion.prior import EmpiricalPrior
from kmatgen.errors import InputError
from kmatgen.layers import update_spectral_norms
from kmatgen.models.adversarial_sampling import AdversarialSampler
from kmatgen.models.base import GenerativeModel, Logs
from kmatgen.models.batches import checked_conditions, checked_samples
from kmatgen.models.requirements import require
from kmatgen.models.structures import (
    condition_of,
    length_of,
    part_of,
    rows_of,
    samples_and_conditions,
    shapes_of,
)
from kmatgen.models.subnetworks import adds_losses_in_calls, scalar
from kmatgen.registry import register
from kmatgen.seeds import fold_seed


@register("model")
class GAN(AdversarialSampler, GenerativeModel):
    """Generative adversarial network (Goodfellow et al. 2014), composed of networks, a loss and terms.

    Data are samples, or pairs of samples and conditions `(x, y)`; samples may be dicts of tensors. Networks say
    what they take: a generator of `{"noise", "condition"}` and a discriminator of `{"sample", "condition"}` are
    conditional, there is no flag.

    Args:
        generator: Noise `(batch, latent_dim)`, or a dict of `noise` and `condition`, to samples.
        discriminator: Samples, or a dict of `sample` and `condition`, to scores, or to a dict of `score` and
            further outputs that terms ask for, such as `class_logits` or `features`.
        decoder: Functional network from the generator's scale to data units, of the sample, or of a dict of `sample`
            and `condition`; it may make other fields of them. `None`: samples are in data units as they are.
        prior: Draws conditions, or entries of them, that `generate` is not given.
        seed: Seed of the model's random state.
        name: Name of the model.

    Raises:
        InputError: The networks do not fit each other.
    """

    NETWORKS = ("generator", "discriminator", "decoder")
    # What a variant changes: the defaults of `compile`, by name.
    DEFAULTS: dict[str, Any] = {}
    LOGS = ("g_loss", "d_loss", "d_real", "d_fake")

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        decoder: keras.Model | None = None,
        prior: EmpiricalPrior | None = None,
        seed: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        networks = {"generator": generator, "discriminator": discriminator, "decoder": decoder}
        super().__init__(networks, seed=seed, name=name, **kwargs)
        self.prior = None if prior is None else registry.get("layer", prior)
        self._check_networks()
        self.terms: list[Term] = []
        self.add_trackers(self.LOGS)

    def _check_networks(self) -> None:
        taken, given = self.generator.input, self.discriminator.output
        if isinstance(taken, dict) and not {"noise"} <= set(taken) <= {"noise", "condition"}:
            raise InputError(
                f'A generator takes "noise", and may take "condition". Received: {", ".join(sorted(taken))}.'
            )
        if isinstance(given, dict) and "score" not in given:
            raise InputError(f'A discriminator gives a "score". Received: {", ".join(sorted(given))}.')
        made, wanted = map(shapes_of, (self.generator.output, part_of(self.discriminator.input, "sample")))
        if made != wanted:
            raise InputError(
                f"The generator makes what the discriminator takes, {wanted}. Received: a generator of {made}."
            )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "prior": keras.saving.serialize_keras_object(self.prior)}

    # Compilation

    def compile(
        self,
        g_optimizer: Any = None,
        d_optimizer: Any = None,
        loss: Any = None,
        terms: Sequence[Any] | None = None,
        d_steps: int | None = None,
        **execution: Any,
    ) -> None:
        """Choose how to train. What is left out is the default of the class (`DEFAULTS`).

        Args:
            g_optimizer: Keras optimiser of the generator, or its name. It has Keras' own slot: callbacks that change a
                learning rate, such as `LearningRateScheduler`, change this one alone.
            d_optimizer: Keras optimiser of the discriminator, or its name.
            loss: An adversarial loss or its name, see `kmatgen.adversarial.losses`.
            terms: Terms to add, or their names, see `kmatgen.adversarial`.
            d_steps: Discriminator steps for each generator step. They share the batch, so that each sees data it
                has not seen: batches hold `d_steps` times as many samples.
            **execution: `run_eagerly`, `steps_per_execution`, `jit_compile`, as in `GenerativeModel.compile`.

        Raises:
            InputError: An argument is nothing of its kind, or a term needs an output that the discriminator does not
                have, or refuses the networks.
        """
        given = {"g_optimizer": g_optimizer, "d_optimizer": d_optimizer, "loss": loss, "terms": terms,
                 "d_steps": d_steps}  # fmt: skip
        settings = {**_PLAIN, **self.DEFAULTS, **{key: value for key, value in given.items() if value is not None}}
        d_steps = settings["d_steps"]
        if isinstance(d_steps, bool) or not isinstance(d_steps, int) or d_steps < 1:
            raise InputError(f"d_steps is a whole number of at least 1. Received: {d_steps!r}.")
        if not isinstance(settings["terms"], list | tuple):
            raise InputError(f"terms is a list of terms or of their names. Received: {settings['terms']!r}.")
        self.adversarial_loss: AdversarialLoss = registry.get("loss", settings["loss"])
        self.terms = [registry.get("term", term) for term in settings["terms"]]
        self.d_steps = d_steps
        self._check_terms()
        self.add_trackers(log for term in self.terms for log in _logs_of(term))
        g_optimizer = self.prepare_optimizer(settings["g_optimizer"], self.generator.trainable_variables)
        self.d_optimizer = self.prepare_optimizer(settings["d_optimizer"], self.discriminator.trainable_variables)
        arguments = {
            "g_optimizer": g_optimizer,
            "d_optimizer": self.d_optimizer,
            "loss": self.adversarial_loss,
            "terms": self.terms,
            "d_steps": self.d_steps,
        }
        super().compile(g_optimizer, arguments, **execution)

    def _check_terms(self) -> None:
        outputs = self.discriminator.output
        has = set(outputs) if isinstance(outputs, dict) else {"score"}
        for term in self.terms:
            missing = sorted(set(term.requires) - has)
            if missing:
                raise InputError(
                    f"{type(term).__name__} needs the discriminator output {missing[0]!r}. "
                    f"Received: a discriminator with {', '.join(sorted(has))}."
                )
            if hasattr(term, "check"):
                term.check(self.generator, self.discriminator)
        names = [term.name for term in self.terms]
        logs = [*self.LOGS, *(log for term in self.terms for log in _logs_of(term))]
        if len(set(names)) < len(names) or len(set(logs)) < len(logs):
            raise InputError(
                f"Terms have names that differ, for the logs, also from {', '.join(self.LOGS)}. "
                f"Received: {', '.join(names)}."
            )

    @property
    def g_optimizer(self) -> keras.Optimizer:
        """The generator's optimiser, which has Keras' own slot (trap 17)."""
        return self.optimizer

    # Training

    def train_step(self, data: Any) -> Logs:
        real, condition = self._checked_data(data)
        batch_size = self._portion_size(real)
        d_logs = []
        for step in range(self.d_steps):
            # Every d_steps-th row: the same portions, taken together, when the batch is spread over replicas.
            rows = slice(step, None, self.d_steps)
            d_logs.append(self.discriminator_step(rows_of(real, rows), rows_of(condition, rows)))
        g_logs = self.generator_step(rows_of(real, rows), rows_of(condition, rows))
        mean_d_logs = {name: tf.reduce_mean([logs[name] for logs in d_logs]) for name in d_logs[0]}
        return self.track({**mean_d_logs, **g_logs}, batch_size)

    def discriminator_step(self, real: Any, condition: Any) -> Logs:
        """Minimise the discriminator's loss on one portion of the batch."""
        update_spectral_norms(self.discriminator)
        seed = self.next_seed()
        inputs = self.generator_inputs(length_of(real), condition, seed)
        # Made outside of the tape: no gradient reaches the generator.
        fake = self.generator(inputs, training=True)
        variables = self.discriminator.trainable_variables

        def loss() -> tuple[tf.Tensor, Logs]:
            round = self._round(inputs, condition, real, fake, seed)
            if adds_losses_in_calls(self.discriminator):
                raise InputError(
                    "A discriminator, called on real and on fake samples, has regularisers of weights alone; what "
                    "depends on samples is a term's work. Received: an activity_regularizer or add_loss in it."
                )
            scores = round.real_outputs["score"], round.fake_outputs["score"]
            loss = self.with_added_losses(self.adversarial_loss.d_loss(*scores), variables)
            total, logs = self._with_terms(loss, round, "d_loss")
            means = (tf.reduce_mean(self.adversarial_loss.probability(score)) for score in scores)
            return total, {**logs, **dict(zip(("d_real", "d_fake"), means, strict=True))}

        logs = self.minimise(self.d_optimizer, variables, loss)
        for term in self.terms:
            if hasattr(term, "after_d_step"):
                term.after_d_step(self.discriminator)
        return logs

    def generator_step(self, real: Any, condition: Any) -> Logs:
        """Minimise the generator's loss; the discriminator's variables are left alone."""
        update_spectral_norms(self.generator)
        seed = self.next_seed()
        inputs = self.generator_inputs(length_of(real), condition, seed)
        variables = self.generator.trainable_variables

        def loss() -> tuple[tf.Tensor, Logs]:
            fake = self.generator(inputs, training=True)
            round = self._round(inputs, condition, real, fake, seed, with_real=self._g_reads_real)
            scores = round.real_outputs.get("score"), round.fake_outputs["score"]
            total = self.with_added_losses(self.adversarial_loss.g_loss(*scores), variables)
            return self._with_terms(total, round, "g_loss")

        return self.minimise(self.g_optimizer, variables, loss)

    def _round(
        self, inputs: Any, condition: Any, real: Any, fake: Any, seed: tf.Tensor, with_real: bool = True
    ) -> Round:
        real_outputs = discriminate(self.discriminator, real, condition) if with_real else {}
        fake_outputs = discriminate(self.discriminator, fake, condition_of(inputs, condition))
        return Round(
            self.generator, self.discriminator, inputs, condition, real, fake, real_outputs, fake_outputs, seed
        )

    @property
    def _g_reads_real(self) -> bool:
        """Whether the generator's loss needs the discriminator's view of real samples, which costs a forward pass."""
        return any(getattr(part, "g_reads_real", False) for part in (self.adversarial_loss, *self.terms))

    def _with_terms(self, loss: tf.Tensor, round: Round, side: str) -> tuple[tf.Tensor, Logs]:
        """The side's loss with its terms added, and the logs of both."""
        logs = {}
        for term in self.terms:
            if hasattr(term, side):
                value = tf.cast(scalar(f"The {side} of {type(term).__name__}", getattr(term, side)(round)), tf.float32)
                loss += term.weight * value
                logs[_log_name(term, side)] = value
        return loss, {side: loss, **logs}

    def test_step(self, data: Any) -> Logs:
        """The losses on held-out data, without terms, in inference mode; the random state stays as it is."""
        real, condition = self._checked_data(data)
        inputs = self.generator_inputs(length_of(real), condition, tf.constant([0, 0]))
        fake = self.generator(inputs, training=False)
        scores = [
            discriminate(self.discriminator, sample, of, training=False)["score"]
            for sample, of in ((real, condition), (fake, condition_of(inputs, condition)))
        ]
        means = [tf.reduce_mean(self.adversarial_loss.probability(score)) for score in scores]
        values = (self.adversarial_loss.g_loss(*scores), self.adversarial_loss.d_loss(*scores), *means)
        return self.track(dict(zip(self.LOGS, values, strict=True)), length_of(real))

    def generator_inputs(self, n: tf.Tensor | int, condition: Any, seed: tf.Tensor) -> Any:
        """Fresh noise, with the condition for a generator that takes one.

        A condition that data do not bring is drawn by the term that has one to draw (InfoGAN).
        """
        noise = self.draw_latent(n, fold_seed(seed, 1))
        if self.condition_spec is None:
            return noise
        if self.drawing_term is not None:
            condition = self.drawing_term.draw_condition(n, fold_seed(seed, 2))
        if condition is None:
            raise InputError(
                "A conditional generator trains on pairs of sample and condition. Received: samples alone."
            )
        return {"noise": noise, "condition": condition}

    def _checked_data(self, data: Any) -> tuple[Any, Any]:
        """Samples and conditions of a batch, once they are what the networks take."""
        real, condition = samples_and_conditions(data)
        # The generator is not given the data's conditions where a term draws them.
        networks = [self.discriminator] if self.drawing_term is not None else [self.generator, self.discriminator]
        wanted = part_of(self.discriminator.input, "sample")
        return checked_samples(real, wanted), checked_conditions(condition, *networks)

    def _portion_size(self, real: Any) -> tf.Tensor | int:
        size = length_of(real)
        if isinstance(size, int) and size % self.d_steps:
            raise InputError(
                f"A batch is divided among d_steps={self.d_steps} discriminator steps and must hold a multiple of that "
                f"many samples; kmatgen.data.batches(..., d_steps={self.d_steps}) makes such batches. Received: {size}."
            )
        wanted = f"A batch holds a multiple of d_steps={self.d_steps} samples. Received:"
        return require(size % self.d_steps == 0, wanted, size, of=size // self.d_steps)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Noise, or a dict of `noise` and `condition`, to samples."""
        return self.generator(inputs, training=training)


_PLAIN: dict[str, Any] = {
    "g_optimizer": "adam",
    "d_optimizer": "adam",
    "loss": "non_saturating",
    "terms": (),
    "d_steps": 1,
}


def _log_name(term: Term, side: str) -> str:
    """The term's name, with the side in front where both sides have one."""
    both = hasattr(term, "d_loss") and hasattr(term, "g_loss")
    return f"{side[0]}_{term.name}" if both else term.name


def _logs_of(term: Term) -> list[str]:
    return [_log_name(term, side) for side in ("d_loss", "g_loss") if hasattr(term, side)]
