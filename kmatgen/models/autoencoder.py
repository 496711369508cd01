"""The autoencoder: what is the same with and without sampling."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from kmatgen.diffusion.fields import get_fields
from kmatgen.errors import InputError
from kmatgen.models.base import GenerativeModel, Logs
from kmatgen.models.batches import checked_conditions, checked_samples
from kmatgen.models.elbo import get_reconstruction
from kmatgen.models.latent_space import LatentSpace
from kmatgen.models.single_loss import SingleLossModel
from kmatgen.models.structures import (
    as_fields,
    condition_spec_of,
    fed,
    part_of,
    samples_and_conditions,
    shapes_of,
)
from kmatgen.registry import register


@register("model")
class Autoencoder(LatentSpace, SingleLossModel):
    """Encoder and decoder trained to reconstruct, without sampling: the baseline of a VAE.

    Samples are tensors or dicts of tensors. Networks say what they take: an encoder of `{"sample", "condition"}` and a
    decoder of `{"latent", "condition"}` are conditional; data are then pairs of samples and conditions `(x, y)`.

    Args:
        encoder: Data to latent points `(batch, latent_dim)`.
        decoder: Latent points to scores of the data's shape.
        output_activation: Keras activation that turns the decoder's scores into a sample.
        data_decoder: Functional network from the scale of training to data units, of the sample, or of a dict of
            `sample` and `condition`; it may make other fields of them. `None`: samples are in data units as they are.
        fields: Where each tensor of the sample exists, and whether it is periodic: a `kmatgen.diffusion.Field`, or a
            dict of these by name.
        seed: Seed of the model's random state.
        name: Name of the model.

    Raises:
        InputError: The networks do not fit each other.
    """

    NETWORKS = ("encoder", "decoder", "data_decoder")
    HAS_PRIOR = False
    LOGS: tuple[str, ...] = ("loss", "reconstruction_loss")
    # As an attribute: of other models it is a property.
    data_decoder: keras.Model | None = None

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        output_activation: str = "sigmoid",
        data_decoder: keras.Model | None = None,
        fields: Any = None,
        seed: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        networks = {"encoder": encoder, "decoder": decoder, "data_decoder": data_decoder}
        super().__init__(networks, seed=seed, name=name, **kwargs)
        self.output_activation = keras.activations.get(output_activation)
        self.latent_dim = self._check_networks()
        self.fields = get_fields(fields, sorted(as_fields(self.decoder.output)))
        self.add_trackers([*self.LOGS, *self._field_logs.values()])

    def _check_networks(self) -> int:
        latent, taken = self._latent_output(), part_of(self.decoder.input, "latent")
        if isinstance(taken, dict):
            raise InputError(
                f'A decoder takes "latent", and may take "condition". Received: {", ".join(sorted(taken))}.'
            )
        if tuple(latent.shape) != tuple(taken.shape):
            raise InputError(
                f"The decoder takes what the encoder gives, {tuple(latent.shape)}. "
                f"Received: a decoder of {tuple(taken.shape)}."
            )
        sample, made = shapes_of(part_of(self.encoder.input, "sample")), shapes_of(self.decoder.output)
        if made != sample:
            raise InputError(f"The decoder gives what the encoder takes, {sample}. Received: a decoder to {made}.")
        if condition_spec_of(self.encoder) not in (None, self.condition_spec):
            raise InputError(
                "An encoder that takes a condition needs a decoder that takes the same. "
                f"Received: {condition_spec_of(self.encoder)} and {self.condition_spec}."
            )
        return latent.shape[-1]

    def _latent_output(self) -> keras.KerasTensor:
        if isinstance(self.encoder.output, dict):
            raise InputError(
                "Autoencoder needs an encoder with one output, the latent point; VAE takes 'mean' and 'log_var'. "
                f"Received: an encoder with outputs {sorted(self.encoder.output)}."
            )
        return self.encoder.output

    @property
    def _field_logs(self) -> dict[str, str]:
        """The log of each field's loss, where there are several fields."""
        return {name: f"{name}_loss" for name in self.fields} if len(self.fields) > 1 else {}

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "output_activation": keras.activations.serialize(self.output_activation),
            "fields": {name: keras.saving.serialize_keras_object(field) for name, field in self.fields.items()},
        }

    # Compilation

    def compile(self, optimizer: Any = "adam", reconstruction: str = "binary_crossentropy", **execution: Any) -> None:
        """Choose how to train.

        Args:
            optimizer: Keras optimiser, or its name.
            reconstruction: `"binary_crossentropy"` on logits, for data in [0, 1], or `"mean_squared_error"`. Of several
                fields the losses are added up.
            **execution: `run_eagerly`, `steps_per_execution`, `jit_compile`, as in `GenerativeModel.compile`.
        """
        self._compile(optimizer, {"reconstruction": reconstruction}, execution)

    def _compile(self, optimizer: Any, arguments: dict[str, Any], execution: dict[str, Any]) -> None:
        self.reconstruction = get_reconstruction(arguments["reconstruction"], self.output_activation)
        optimizer = self.prepare_optimizer(optimizer, self.trained_variables)
        GenerativeModel.compile(self, optimizer, {"optimizer": optimizer, **arguments}, **execution)

    @property
    def trained_variables(self) -> list[keras.Variable]:
        return [*self.encoder.trainable_variables, *self.decoder.trainable_variables]

    # Training

    def checked_data(self, data: Any) -> tuple[Any, Any]:
        """Samples, and what the data tell of them; that may be more than this model asks for."""
        sample, told = samples_and_conditions(data)
        wanted = self._wanted_of_data()
        has = set(told) if isinstance(told, dict) else {"condition"} if told is not None else set()
        if not wanted <= has:
            raise InputError(
                f"This model trains on pairs of a sample and its {', '.join(sorted(wanted))}. "
                f"Received: samples with {', '.join(sorted(has)) or 'nothing else'}."
            )
        sample = checked_samples(sample, part_of(self.encoder.input, "sample"))
        return sample, checked_conditions(told, self.encoder, self.decoder)

    def _wanted_of_data(self) -> set[str]:
        """Names of what data have to tell of a sample."""
        masks = {field.mask for field in self.fields.values() if field.mask is not None}
        return set(self.condition_entries) | masks

    def losses_of(self, sample: Any, told: Any, seed: tf.Tensor, training: bool) -> tuple[tf.Tensor, Logs]:
        latent = self.encode_latent(sample, told, training)
        loss, logs = self.reconstruction_of(sample, latent, told, training)
        return loss, {"loss": loss, **logs}

    def reconstruction_of(self, sample: Any, latent: tf.Tensor, told: Any, training: bool) -> tuple[tf.Tensor, Logs]:
        """How badly latent points are decoded to the samples they stand for: the sum over fields, and its logs."""
        scores = as_fields(self.decoder(fed(self.decoder, "latent", latent, told), training=training))
        losses = {}
        for name, wanted in as_fields(sample).items():
            made, field = tf.cast(scores[name], tf.float32), self.fields[name]
            each = self.reconstruction(field.nearest(wanted, made), made, self.output_activation)
            losses[name] = field.mean(each, told)
        total = tf.add_n(list(losses.values()))
        return total, {"reconstruction_loss": total, **{log: losses[name] for name, log in self._field_logs.items()}}

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Reconstruct data, or a dict of `sample` and `condition`, on the scale of training."""
        sample, condition = part_of(inputs, "sample"), None
        if self.condition_spec is not None:
            condition = inputs["condition"]
        return self._decode(self.encode_latent(sample, condition, training), condition, training)
