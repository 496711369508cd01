"""How an autoencoder is asked: data to latent points, latent points to samples, and the signatures of an export."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kmatgen.errors import InputError
from kmatgen.models.sampling import Sampler, Signatures, named
from kmatgen.models.structures import (
    checked_arrays,
    condition_spec_of,
    fed,
    known_classes,
    length_of,
    part_of,
    specs_of,
    stacked,
)

Samples = np.ndarray | dict[str, np.ndarray]


class LatentSpace(Sampler):
    """The sampling half of `Autoencoder`."""

    encoder: keras.Model
    decoder: keras.Model
    output_activation: Callable[[tf.Tensor], tf.Tensor]
    latent_dim: int

    def encode_latent(self, sample: Any, condition: Any = None, training: bool = False) -> tf.Tensor:
        """Data to latent points, float32."""
        latent = self.encoder(fed(self.encoder, "sample", sample, condition), training=training)
        return tf.cast(latent, tf.float32)

    def decode_latent(self, latent: tf.Tensor, condition: Any = None) -> Any:
        """Latent points to samples in data units, float32."""
        return self.to_data_units(self._decode(latent, condition, training=False), condition)

    def _decode(self, latent: tf.Tensor, condition: Any, training: bool) -> Any:
        scores = self.decoder(fed(self.decoder, "latent", latent, condition), training=training)
        return keras.tree.map_structure(lambda tensor: self.output_activation(tf.cast(tensor, tf.float32)), scores)

    @property
    def latent_spec(self) -> tf.TensorSpec:
        return tf.TensorSpec((None, self.latent_dim), tf.float32, name="latent")

    @property
    def condition_spec(self) -> Any:
        return condition_spec_of(self.decoder)

    @property
    def condition_classes(self) -> int | None:
        return known_classes(self.decoder)

    @property
    def sample_spec(self) -> Any:
        """Shape and type of a batch of data, the batch size open, or a dict of these."""
        return specs_of(part_of(self.encoder.input, "sample"), "image")

    @property
    def encoding_specs(self) -> list[Any]:
        """What `encode_latent` takes: data and, for some models, conditions."""
        return [self.sample_spec] if self.condition_spec is None else [self.sample_spec, self.condition_spec]

    @cached_property
    def encoding(self) -> Callable[..., tf.Tensor]:
        """`encode_latent`, traced once."""
        return tf.function(self.encode_latent, input_signature=self.encoding_specs)

    def encode(self, samples: Samples, condition: Any = None, *, batch_size: int = 64) -> np.ndarray:
        """Data `(n, ...)`, on the scale of training, to latent points `(n, latent_dim)`; for a VAE, the means."""
        return self.run_in_batches(self.encoding, *self.checked_rows(samples, condition), batch_size=batch_size)

    def decode(self, latent: np.ndarray, condition: Any = None, *, batch_size: int = 64) -> Samples:
        """Latent points `(n, latent_dim)` to samples `(n, ...)` in data units."""
        points = checked_arrays(np.asarray(latent, np.float32), self.latent_spec)
        return self.decode_for(condition, points, None, batch_size)

    def reconstruct(self, samples: Samples, condition: Any = None, *, batch_size: int = 64) -> Samples:
        """Data `(n, ...)`, on the scale of training, through the latent space and back to data units."""
        latent = self.encode(samples, condition, batch_size=batch_size)
        return self.decode(latent, condition, batch_size=batch_size)

    def interpolate(self, start: Samples, end: Samples, steps: int = 8, condition: Any = None) -> Samples:
        """Decode `steps` points on the straight line between the latent points of two data.

        Args:
            start: One datum, without batch axis.
            end: One datum, without batch axis.
            steps: Number of points, both ends included; at least 2.
            condition: One for all points, where the model takes one.

        Returns:
            `(steps, ...)`, from the reconstruction of `start` to that of `end`.
        """
        if not isinstance(steps, int | np.integer) or steps < 2:
            raise InputError(f"interpolate needs a whole number of steps, at least 2. Received: steps={steps!r}.")
        first, last = self.encode(stacked([start, end]), condition)
        return self.decode(np.linspace(first, last, steps), condition)

    def checked_rows(self, samples: Samples, condition: Any) -> list[Any]:
        """Data and their conditions as `encode_latent` takes them.

        Raises:
            InputError: They are not of the model's shapes, or a condition is missing or not wanted.
        """
        rows = checked_arrays(samples, self.sample_spec)
        if self.condition_spec is None and condition is None:
            return [rows]
        return [rows, self.check_condition(condition, int(length_of(rows)), None)]

    # Export

    def signatures(self) -> Signatures:
        return {
            **super().signatures(),
            "encode": self.signature_of_data(self.encoded),
            "reconstruct": self.signature_of_data(
                lambda *given: named(self.decode_latent(self.encode_latent(*given), *given[1:]))
            ),
        }

    def encoded(self, *given: Any) -> dict[str, tf.Tensor]:
        """What an export answers of data: their latent points."""
        return {"latent": self.encode_latent(*given)}

    def signature_of_data(self, function: Callable[..., Any]) -> tuple[Callable[..., Any], list[tf.TensorSpec]]:
        """A function of data, and perhaps of conditions, as a signature."""
        specs = self.encoding_specs
        return lambda *given: function(*keras.tree.pack_sequence_as(specs, given)), keras.tree.flatten(specs)
