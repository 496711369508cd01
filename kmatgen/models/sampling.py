"""How a trained model is sampled: latent points, conditions, and the signatures of an export."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from kmatgen.errors import InputError
from kmatgen.models.requirements import explained
from kmatgen.models.structures import (
    check_batch_size,
    check_class_range,
    check_count,
    check_rows,
    check_seed,
    fed,
    length_of,
    rows_of,
)
from kmatgen.seeds import fold_seed, sample_seed

if TYPE_CHECKING:
    from kmatgen.diffusion.prior import EmpiricalPrior

# name -> (function of tensors, one tf.TensorSpec for each of its arguments)
Signatures = dict[str, tuple[Callable, list[tf.TensorSpec]]]


class Sampler:
    """The sampling half of a `GenerativeModel`.

    A subclass defines `latent_spec` and `decode_latent`, and where it takes conditions `condition_spec`. Latent
    points, conditions and samples are tensors or dicts of tensors.
    """

    # Whether latent points can be drawn and decoded to new samples.
    HAS_PRIOR = True
    # Draws conditions, or entries of them, that `generate` is not given.
    prior: EmpiricalPrior | None = None
    # Steps from noise to sample, of a model that is sampled step by step.
    steps: int | None = None

    # Of `GenerativeModel`: a context in which the networks hold their averaged weights.
    averaged_weights: Callable[[], AbstractContextManager[None]]

    @property
    def latent_spec(self) -> Any:
        """Shape and type of a batch of latent points, the batch size open: a named `tf.TensorSpec`, or a dict."""
        raise NotImplementedError(f"{type(self).__name__} defines latent_spec.")

    @property
    def condition_spec(self) -> Any:
        """Shape and type of a batch of conditions, as for `latent_spec`, or None for a model that takes none."""
        return None

    @property
    def condition_classes(self) -> int | None:
        """How many classes may be asked for, or None where the condition is no class."""
        return None

    def example_condition(self, n: int) -> Any:
        """Conditions for `n` samples that show what the model knows, or None where there are none to choose.

        These are the classes in turn, for a model of classes that has no prior to draw them from.
        """
        classes = self.condition_classes
        return None if classes is None or self.prior is not None else np.arange(n) % classes

    def decode_latent(self, latent: Any, condition: Any = None) -> Any:
        """Latent points to samples in data units, float32."""
        raise NotImplementedError(f"{type(self).__name__} defines decode_latent.")

    def draw_latent(self, n: tf.Tensor | int, seed: tf.Tensor) -> Any:
        """`n` points of the prior, a standard normal; the same for the same seed `(2,)`."""
        specs = keras.tree.flatten(self.latent_spec)
        # One tensor takes the seed as it is; several each take their own.
        seeds = [seed] if len(specs) == 1 else [fold_seed(seed, index) for index in range(len(specs))]
        points = [
            tf.random.stateless_normal(tf.concat([[n], spec.shape[1:]], axis=0), own)
            for spec, own in zip(specs, seeds, strict=True)
        ]
        return keras.tree.pack_sequence_as(self.latent_spec, points)

    def generate(
        self, n: int, condition: Any = None, *, seed: int | None = None, batch_size: int = 64
    ) -> np.ndarray | dict[str, np.ndarray]:
        """Draw `n` samples.

        Args:
            n: Number of samples, at least 1.
            condition: What is asked for, where the model takes a condition: one for each sample, or one for all;
                a dict of these where the condition has entries.
            seed: The same seed gives the same samples, here and from an export. `None` draws one.
            batch_size: Samples computed at a time.

        Returns:
            `(n, ...)` float32 in data units, or a dict of such arrays.

        Raises:
            InputError: The model cannot generate, or the condition is missing, of the wrong shape or not wanted.
        """
        seed = self.check_request(n, seed)
        return self.decode_for(condition, self.draw_latent(n, sample_seed(seed)), seed, batch_size)

    def decode_for(
        self, condition: Any, latent: Any, seed: int | None, batch_size: int
    ) -> np.ndarray | dict[str, np.ndarray]:
        """Decode latent points for a condition; what it leaves out is drawn from the prior, if there is a seed."""
        inputs = [latent]
        if self.condition_spec is not None or condition is not None:
            inputs.append(self.check_condition(condition, int(length_of(latent)), seed))
        return self.run_in_batches(self.decoding, *inputs, batch_size=batch_size)

    def check_request(self, n: int, seed: int | None) -> int:
        """The seed of a request for `n` samples, drawn where it is None.

        Raises:
            InputError: The model cannot generate, or not that many.
        """
        if not self.HAS_PRIOR:
            raise InputError(
                f"{type(self).__name__} has no prior to draw from and cannot generate; a VAE can. Received: n={n}."
            )
        check_count(n)
        return check_seed(seed)

    # Conditions

    @property
    def condition_entries(self) -> dict[str, tf.TensorSpec]:
        """The entries of a condition by name; a condition that is a tensor is the only one, `"condition"`."""
        spec = self.condition_spec
        return {} if spec is None else spec if isinstance(spec, dict) else {"condition": spec}

    @property
    def draws_all_conditions(self) -> bool:
        """Whether samples can be drawn without asking for anything."""
        return self.prior is not None and set(self.prior.entries) == set(self.condition_entries)

    def check_condition(self, condition: Any, n: int, seed: int | None) -> Any:
        """The conditions of `n` samples as tensors; entries that are not given are drawn from the prior.

        Without a seed nothing is drawn.

        Raises:
            InputError: They are missing, not wanted, or do not fit `condition_spec`.
        """
        spec, entries = self.condition_spec, self.condition_entries
        if spec is None:
            raise InputError(f"This model takes no condition. Received: condition={condition!r}.")
        if condition is not None and self.condition_classes is not None:
            check_class_range(condition, self.condition_classes)
        if self.prior is None and not isinstance(spec, dict):
            return check_rows(condition, spec, n)
        given = {} if condition is None else condition if isinstance(spec, dict) else {"condition": condition}
        drawn = {} if self.prior is None or seed is None else self.draw_conditions(n, seed)
        if not isinstance(given, dict) or set(given) - set(entries) or set(entries) - set(given) - set(drawn):
            received = ", ".join(sorted(given)) or "None" if isinstance(given, dict) else repr(given)
            may_draw = f"; {', '.join(sorted(drawn))} may be left out" if drawn else ""
            raise InputError(
                f"This model needs a condition of {', '.join(sorted(entries))}{may_draw}. Received: {received}."
            )
        rows = {
            name: check_rows(given[name], entry, n) if name in given else drawn[name] for name, entry in entries.items()
        }
        return rows if isinstance(spec, dict) else rows["condition"]

    def draw_conditions(self, n: tf.Tensor | int, seed: tf.Tensor | int) -> dict[str, tf.Tensor]:
        """Entries of `n` conditions by name, from the prior; those of sample `i` depend on the seed and `n` alone."""
        rows = self.prior.draw(n, fold_seed(sample_seed(seed), 3))
        return {name: tf.cast(row, self.condition_entries[name].dtype) for name, row in rows.items()}

    def drawn_condition(self, n: tf.Tensor | int, seed: tf.Tensor | int) -> Any:
        """The same as the networks take it; None for a model without a prior."""
        rows = None if self.prior is None else self.draw_conditions(n, seed)
        return rows if rows is None or isinstance(self.condition_spec, dict) else rows["condition"]

    # Data units

    @property
    def data_decoder(self) -> keras.Model | None:
        """The network from the scale on which a model works to data units, where these differ."""
        return None

    def to_data_units(self, sample: Any, condition: Any = None) -> Any:
        """A sample as users know it, in float32; whole numbers, such as species, stay what they are."""
        decoder = self.data_decoder
        if decoder is not None:
            sample = decoder(fed(decoder, "sample", sample, condition))
        return keras.tree.map_structure(lambda x: tf.cast(x, tf.float32) if x.dtype.is_floating else x, sample)

    # Latent points to samples

    @property
    def decoding_specs(self) -> list[Any]:
        """What `decode_latent` takes: latent points and, for some models, conditions."""
        return [self.latent_spec] if self.condition_spec is None else [self.latent_spec, self.condition_spec]

    @cached_property
    def decoding(self) -> Callable[..., Any]:
        """`decode_latent`, traced once for all batch sizes: `predict` costs 70 ms a call more (trap 25)."""
        return tf.function(self.decode_latent, input_signature=self.decoding_specs)

    def run_in_batches(self, function: Callable, *inputs: Any, batch_size: int = 64) -> Any:
        """Apply a traced function to `batch_size` rows at a time, with averaged weights, and join the results."""
        n, batch_size = int(length_of(inputs[0])), check_batch_size(batch_size)
        if n == 0:
            raise InputError("There is at least one sample to compute with. Received: 0.")
        slices = [slice(start, start + batch_size) for start in range(0, n, batch_size)]
        with self.averaged_weights(), explained():
            parts = [function(*(rows_of(given, rows) for given in inputs)) for rows in slices]
        return keras.tree.map_structure(lambda *values: np.concatenate([v.numpy() for v in values]), *parts)

    def signatures(self) -> Signatures:
        """What an exported model can be asked: `serving_default`, `sample`, and the family's own.

        Where a prior, or a term as InfoGAN's, draws the conditions `sample` takes none, and `sample_for` does.
        """

        def sample(n: tf.Tensor, seed: tf.Tensor, *given: tf.Tensor) -> dict[str, tf.Tensor]:
            condition = keras.tree.pack_sequence_as(self.decoding_specs[1:], given)
            return named(self.decode_latent(self.draw_latent(n, sample_seed(seed)), *condition))

        def sample_anything(n: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
            condition = self.drawn_condition(n, seed)
            return named(self.decode_latent(self.draw_latent(n, sample_seed(seed)), condition))

        def serving_default(*given: tf.Tensor) -> dict[str, tf.Tensor]:
            return named(self.decode_latent(*keras.tree.pack_sequence_as(self.decoding_specs, given)))

        signatures: Signatures = {"serving_default": (serving_default, keras.tree.flatten(self.decoding_specs))}
        if not self.HAS_PRIOR:
            return signatures
        scalars = [tf.TensorSpec((), tf.int32, name=name) for name in ("n", "seed")]
        asking = (sample, [*scalars, *keras.tree.flatten(self.decoding_specs[1:])])
        if self.draws_all_conditions:
            return {**signatures, "sample": (sample_anything, scalars), "sample_for": asking}
        return {**signatures, "sample": asking}


def named(sample: Any) -> dict[str, tf.Tensor]:
    """A sample as the outputs of a signature: fields have names already."""
    return sample if isinstance(sample, dict) else {"sample": sample}
