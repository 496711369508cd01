"""The variational autoencoder, and what its latent points say of properties."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from math import isfinite, prod
from numbers import Real
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kmatgen import registry
from kmatgen.diffusion.prior import EmpiricalPrior
from kmatgen.errors import InputError
from kmatgen.models.autoencoder import Autoencoder
from kmatgen.models.base import Logs
from kmatgen.models.elbo import KL_REDUCTIONS, kl_divergence
from kmatgen.models.latent_space import Samples
from kmatgen.models.properties import check_asked, check_properties, distances, property_loss
from kmatgen.models.sampling import Signatures
from kmatgen.models.structures import fed, rows_of
from kmatgen.registry import register
from kmatgen.schedules import Schedule
from kmatgen.seeds import fold_seed, sample_seed


@register("model")
class VAE(Autoencoder):
    """Variational autoencoder (Kingma and Welling, "Auto-Encoding Variational Bayes", 2014).

    It minimises `reconstruction_loss + kl_weight * kl_loss`, see `kmatgen.models.elbo` for both formulas, and with a
    property head `+ property_weight * property_loss`: latent points then also say what properties their samples have
    (Gomez-Bombarelli et al. 2018; of crystals Ren et al. 2022, FTCP), and samples can be chosen by them.

    Args:
        encoder: Data, or a dict of `sample` and `condition`, to a dict of `mean` and `log_var`, each
            `(batch, latent_dim)`.
        decoder: Latent points, or a dict of `latent` and `condition`, to scores of the data's shape.
        output_activation: Keras activation that turns the decoder's scores into a sample.
        data_decoder: Functional network from the scale of training to data units, of the sample, or of a dict of
            `sample` and `condition`; it may make other fields of them. `None`: samples are in data units as they are.
        fields: Where each tensor of the sample exists, and whether it is periodic: a `kmatgen.diffusion.Field`, or a
            dict of these by name.
        prior: Draws conditions, or entries of them, that `generate` is not given.
        property_head: Latent points to a dict of properties `(batch, 1)`, standardised. Data then bring the properties
            by name in the dict `y`, beside entries of the condition; NaN where one is not known.
        properties: By name, `mean` and `scale` by which each property is standardised, 0 and 1 if left out.
        seed: Seed of the model's random state.
        name: Name of the model.

    Raises:
        InputError: The networks do not fit each other.
    """

    NETWORKS = (*Autoencoder.NETWORKS, "property_head")
    HAS_PRIOR = True
    LOGS = ("loss", "reconstruction_loss", "kl_loss", "kl_weight")

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        output_activation: str = "sigmoid",
        data_decoder: keras.Model | None = None,
        fields: Any = None,
        prior: EmpiricalPrior | None = None,
        property_head: keras.Model | None = None,
        properties: dict[str, dict[str, float]] | None = None,
        seed: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, decoder, output_activation, data_decoder, fields, seed, name, **kwargs)
        self.prior = None if prior is None else registry.get("layer", prior)
        self.add_networks({"property_head": property_head})
        self.properties = check_properties(property_head, properties, self.latent_dim, set(self.condition_entries))
        self.add_trackers(["property_loss"] if self.properties else [])

    def _latent_output(self) -> keras.KerasTensor:
        outputs = self.encoder.output
        if not isinstance(outputs, dict) or not {"mean", "log_var"} <= set(outputs):
            found = sorted(outputs) if isinstance(outputs, dict) else "one output"
            raise InputError(f"VAE needs an encoder with the outputs 'mean' and 'log_var'. Received: {found}.")
        return outputs["mean"]

    def get_config(self) -> dict[str, Any]:
        prior = keras.saving.serialize_keras_object(self.prior)
        return {**super().get_config(), "prior": prior, "properties": self.properties}

    # Compilation

    def compile(
        self,
        optimizer: Any = "adam",
        reconstruction: str = "binary_crossentropy",
        kl_weight: float | Schedule = 0.012,
        kl_reduction: str = "mean",
        property_weight: float = 1.0,
        **execution: Any,
    ) -> None:
        """Choose how to train.

        Args:
            optimizer: Keras optimiser, or its name.
            reconstruction: `"binary_crossentropy"` on logits, for data in [0, 1], or `"mean_squared_error"`. Of several
                fields the losses are added up.
            kl_weight: Weight of the divergence, a number or a schedule of the optimiser's step
                (`kmatgen.schedules.LinearWarmup`, `Cyclical`, or any Keras learning-rate schedule).
            kl_reduction: `"mean"` or `"sum"` over the latent dimensions, or `"per_value"`: summed
                and divided by the number of values of a sample, with which a weight of 1 is the evidence lower bound.
            property_weight: Weight of the mean squared error of the properties, for a model with a property head.
            **execution: `run_eagerly`, `steps_per_execution`, `jit_compile`, as in `GenerativeModel.compile`.
        """
        if kl_reduction not in KL_REDUCTIONS:
            raise InputError(f"kl_reduction is one of {', '.join(KL_REDUCTIONS)}. Received: {kl_reduction!r}.")
        if not isinstance(kl_weight, Schedule) and not _is_weight(kl_weight):
            raise InputError(f"kl_weight is a schedule or a number of at least 0. Received: {kl_weight!r}.")
        if not _is_weight(property_weight):
            raise InputError(f"property_weight is a number of at least 0. Received: {property_weight!r}.")
        self.kl_weight = kl_weight
        self.kl_reduction = kl_reduction
        self.property_weight = property_weight
        arguments = {
            "reconstruction": reconstruction,
            "kl_weight": kl_weight,
            "kl_reduction": kl_reduction,
            "property_weight": property_weight,
        }
        self._compile(optimizer, arguments, execution)

    @property
    def trained_variables(self) -> list[keras.Variable]:
        head = [] if self.property_head is None else self.property_head.trainable_variables
        return [*super().trained_variables, *head]

    # Training

    def _wanted_of_data(self) -> set[str]:
        return super()._wanted_of_data() | set(self.properties)

    def losses_of(self, sample: Any, told: Any, seed: tf.Tensor, training: bool) -> tuple[tf.Tensor, Logs]:
        posterior = self.encoder(fed(self.encoder, "sample", sample, told), training=training)
        mean, log_var = tf.cast(posterior["mean"], tf.float32), tf.cast(posterior["log_var"], tf.float32)
        latent = mean + tf.exp(0.5 * log_var) * tf.random.stateless_normal(tf.shape(mean), seed)

        reconstruction_loss, logs = self.reconstruction_of(sample, latent, told, training)
        kl_loss = kl_divergence(mean, log_var, self.kl_reduction, self._values_of_a_sample)
        kl_weight = self.kl_weight_at(self.optimizer.iterations)
        loss = reconstruction_loss + kl_weight * kl_loss
        if self.properties:
            # Of the sampled point, not of its mean: else the head reads what no point of the prior keeps.
            predicted = self.property_head(latent, training=training)
            logs["property_loss"] = property_loss(predicted, told, self.properties)
            loss += self.property_weight * logs["property_loss"]
        return loss, {"loss": loss, **logs, "kl_loss": kl_loss, "kl_weight": kl_weight}

    @property
    def _values_of_a_sample(self) -> int:
        return sum(prod(spec.shape[1:]) for spec in keras.tree.flatten(self.sample_spec))

    def kl_weight_at(self, step: tf.Tensor | int) -> tf.Tensor:
        """The weight of the divergence at an optimiser step."""
        weight = self.kl_weight(step) if isinstance(self.kl_weight, Schedule) else self.kl_weight
        return tf.cast(weight, tf.float32)

    # Latent space

    def encode_latent(self, sample: Any, condition: Any = None, training: bool = False) -> tf.Tensor:
        """Data to the means of their latent distributions, float32."""
        posterior = self.encoder(fed(self.encoder, "sample", sample, condition), training=training)
        return tf.cast(posterior["mean"], tf.float32)

    def encoded(self, *given: Any) -> dict[str, tf.Tensor]:
        """What an export answers of data: means and variances of their latent points."""
        return dict(self.encoder(fed(self.encoder, "sample", given[0], *given[1:] or (None,)), training=False))

    # Properties

    def generate(
        self,
        n: int,
        condition: Any = None,
        *,
        seed: int | None = None,
        batch_size: int = 64,
        properties: dict[str, Any] | None = None,
        near: Any = None,
        strength: float = 1.0,
        candidates: int = 64,
    ) -> Samples:
        """Draw `n` samples.

        Args:
            n: Number of samples, at least 1.
            condition: As for any model, see `GenerativeModel`.
            seed: The same seed gives the same samples. `None` draws one.
            batch_size: Samples computed at a time.
            properties: By name, the value that samples should have, one for all or one for each. For each sample the
                best of several points is decoded: the one that the property head sees nearest to it. Points of the
                prior seldom have rare values, and what they are decoded to seldom keeps them; give `near`, too.
            near: Data on the scale of training, or a pair of data and conditions. Each sample then comes from the
                neighbourhood of one of them, drawn at random, and not from the prior; with its condition, but for the
                entries that are asked for. For properties Ren et al. 2022 (FTCP) do so.
            strength: With `near`, how far away: 0 reconstructs, 1 draws from the latent distributions of the data.
            candidates: Number of points for each sample, with `properties`.

        Returns:
            `(n, ...)` float32 in data units, or a dict of such arrays.

        Raises:
            InputError: The model cannot do that, or a condition is missing, of the wrong shape or not wanted.
        """
        if properties is None and near is None:
            return super().generate(n, condition, seed=seed, batch_size=batch_size)
        seed = self.check_request(n, seed)
        if candidates < 1 or strength < 0:
            raise InputError(
                f"candidates is at least 1 and strength at least 0. Received: candidates={candidates}, "
                f"strength={strength}."
            )
        count = 1 if properties is None else candidates
        latent, given = self._drawn_points(n * count, seed, near, strength)
        chosen = np.arange(n) if properties is None else self.nearest_points(latent, properties, n)
        if given is not None:
            own = rows_of(given, chosen)
            condition = (
                {**own, **(condition or {})} if isinstance(own, dict) else own if condition is None else condition
            )
        return self.decode_for(condition, latent[chosen], seed, batch_size)

    def _drawn_points(self, count: int, seed: int, near: Any, strength: float) -> tuple[np.ndarray, Any]:
        """Latent points of the prior, or near to data, and then the conditions of those."""
        noise = self.draw_latent(count, sample_seed(seed)).numpy()
        if near is None:
            return noise, None
        rows = self.checked_rows(*(near if isinstance(near, tuple) else (near, None)))
        posterior = self.run_in_batches(self._encoding_all, *rows)
        of = tf.random.stateless_uniform(
            [count], fold_seed(sample_seed(seed), 5), 0, len(posterior["mean"]), tf.int32
        ).numpy()
        spread = strength * np.exp(0.5 * posterior["log_var"][of])
        given = None if len(rows) == 1 else keras.tree.map_structure(lambda values: np.asarray(values)[of], rows[1])
        return posterior["mean"][of] + spread * noise, given

    def nearest_points(self, latent: np.ndarray, properties: dict[str, Any], n: int) -> np.ndarray:
        """Of latent points `(n * candidates, latent_dim)` the rows `(n,)` of those with the nearest predictions."""
        asked = check_asked(properties, self.properties, n)
        predicted = self.run_in_batches(self._predicting, latent, batch_size=4096)
        far = distances(predicted, asked, self.properties).reshape(n, -1)
        return np.arange(n) * far.shape[1] + far.argmin(axis=1)

    @cached_property
    def _encoding_all(self) -> Callable[..., dict[str, tf.Tensor]]:
        return tf.function(self.encoded, input_signature=self.encoding_specs)

    def predict_properties(
        self, samples: Samples, condition: Any = None, *, batch_size: int = 64
    ) -> dict[str, np.ndarray]:
        """Properties of data, by name `(n,)` in their own units.

        Args:
            samples: `(n, ...)` on the scale of training, or a dict of such arrays.
            condition: Of each, where the model takes one.
            batch_size: Samples computed at a time.

        Raises:
            InputError: The model has no property head, or the data are not of its shapes.
        """
        check_asked({}, self.properties, 1)
        latent = self.encode(samples, condition, batch_size=batch_size)
        predicted = self.run_in_batches(self._predicting, latent, batch_size=4096)
        return {name: values[:, 0] for name, values in predicted.items()}

    def properties_of(self, latent: tf.Tensor) -> dict[str, tf.Tensor]:
        """What the property head says of latent points, in the properties' own units `(batch, 1)`."""
        predicted = self.property_head(latent, training=False)
        return {
            name: tf.cast(predicted[name], tf.float32) * of["scale"] + of["mean"]
            for name, of in self.properties.items()
        }

    @cached_property
    def _predicting(self) -> Callable[..., Any]:
        return tf.function(self.properties_of, input_signature=[self.latent_spec])

    # Export

    def signatures(self) -> Signatures:
        signatures = super().signatures()
        if not self.properties:
            return signatures
        predict = self.signature_of_data(lambda *given: self.properties_of(self.encode_latent(*given)))
        return {**signatures, "predict_properties": predict}


def _is_weight(value: Any) -> bool:
    return isinstance(value, Real) and isfinite(value) and value >= 0
