"""What all generative models share, whatever way they are trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from kmatgen import optimizers
from kmatgen.errors import InputError
from kmatgen.models.averages import WeightAverage
from kmatgen.models.sampling import Sampler
from kmatgen.models.state import SavedState
from kmatgen.models.stock import StockMethods
from kmatgen.models.subnetworks import added_losses, as_functional, check_own_weights, scalar
from kmatgen.seeds import fold_seed

Logs = dict[str, tf.Tensor]


class GenerativeModel(Sampler, StockMethods, SavedState, keras.Model):
    """A `keras.Model` made of functional sub-networks, with its own training step.

    A subclass lists its sub-networks in `NETWORKS`, takes them under these names in `__init__` (what is
    exported) and everything about training in `compile`. It defines `train_step`, `test_step`, `call`,
    `latent_spec`, `decode_latent` and `signatures`. From here it has: configuration and compile
    configuration that survive a `.keras` file, optimisers that are built, saved and loss-scaled, a saved
    random state, sampling and export.

    Args:
        networks: The sub-networks by name, functional or sequential and built; None for one that the model can do
            without.
        seed: Seed of the model's random state. `None` draws one.
        name: Name of the model.
    """

    NETWORKS: tuple[str, ...] = ()

    def __init__(
        self, networks: dict[str, keras.Model | None], seed: int | None, name: str | None, **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.add_networks(networks)
        self.seed = seed
        self.random_state = keras.random.SeedGenerator(seed)
        self._trackers: dict[str, keras.metrics.Metric] = {}
        self.averages: dict[str, WeightAverage] = {}
        self._compile_arguments: dict[str, Any] | None = None
        # Sub-networks are built already; without this Keras refuses to save, back up or export (trap 1).
        self.built = True

    def add_networks(self, networks: dict[str, keras.Model | None]) -> None:
        """Take over sub-networks by name.

        Raises:
            InputError: One of them is no functional network, or shares weights with another.
        """
        for role, network in networks.items():
            setattr(self, role, None if network is None else as_functional(role, network))
        check_own_weights({role: getattr(self, role, None) for role in self.NETWORKS})

    def __setattr__(self, name: str, value: Any) -> None:
        before = getattr(self, name, None) if name in type(self).NETWORKS else None
        if before is not None and value is not before:
            raise InputError(
                f"A model keeps the networks that it was made of, which its functions and optimisers know; make a new "
                f"{type(self).__name__}, or give this {name} new weights. Received: another {name}."
            )
        super().__setattr__(name, value)

    # Configuration

    def get_config(self) -> dict[str, Any]:
        networks = {role: keras.saving.serialize_keras_object(getattr(self, role)) for role in self.NETWORKS}
        return {**super().get_config(), **networks, "seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict | None = None) -> GenerativeModel:
        config = dict(config)
        for role in cls.NETWORKS:
            # A file may be older than a network that the model can do without.
            config[role] = keras.saving.deserialize_keras_object(config.get(role), custom_objects=custom_objects)
        return cls(**config)

    def get_compile_config(self) -> dict[str, Any] | None:
        if self._compile_arguments is None:
            return None
        return keras.saving.serialize_keras_object(self._compile_arguments)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))

    # Compilation

    def compile(
        self,
        optimizer: keras.Optimizer,
        arguments: dict[str, Any],
        *,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | None = None,
    ) -> None:
        """Set up the stock part of training; subclasses call this from their own `compile`.

        Args:
            optimizer: The optimiser for Keras' own slot, from `prepare_optimizer`.
            arguments: Every argument of the subclass' `compile`; saved with the model and given to it on loading.
            run_eagerly: As in `keras.Model.compile`.
            steps_per_execution: As in `keras.Model.compile`.
            jit_compile: Compile with XLA. `None`: yes on a GPU, if all layers can be; no on a CPU, where it is slower.
        """
        execution = {"run_eagerly": run_eagerly, "steps_per_execution": steps_per_execution}
        if jit_compile is None:
            able = all(layer.supports_jit for layer in self._network_layers())
            use_xla = able and bool(tf.config.list_logical_devices("GPU")) and not run_eagerly
        else:
            use_xla = jit_compile
        super().compile(optimizer=optimizer, jit_compile=use_xla, auto_scale_loss=False, **execution)
        self._compile_arguments = {**arguments, **execution, "jit_compile": jit_compile}

    def prepare_optimizer(self, optimizer: Any, variables: list[keras.Variable]) -> keras.Optimizer:
        """Look an optimiser up, scale its loss if the networks compute in float16, and build it.

        A built optimiser is saved and restored with the model (trap 3), and can be used under
        `tf.distribute` (trap 18).

        Raises:
            InputError: There is no such optimiser, or it keeps averaged weights; that is a callback's work.
        """
        optimizer = optimizers.get(optimizer)
        if optimizer.use_ema:
            raise InputError(
                "An optimiser with use_ema=True averages weights without batch-normalisation statistics; "
                f"use an averaging callback instead. Received: {optimizer.name} with use_ema=True."
            )
        if optimizer.built:
            # A second compile starts from fresh optimiser state, as keras.Model.compile does with a new optimiser.
            optimizer = type(optimizer).from_config(optimizer.get_config())
        scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        if self.computes_in_float16 and not scaled:
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        optimizer.build(variables)
        return optimizer

    @property
    def computes_in_float16(self) -> bool:
        """Whether any sub-network layer computes in float16, so that losses need scaling."""
        return any(layer.compute_dtype == "float16" for layer in self._network_layers())

    def _network_layers(self) -> list[keras.layers.Layer]:
        """All layers, those of nested models and of composite layers too; Keras has no public way to these."""
        return [layer for network in self._networks for layer in network._flatten_layers(include_self=False)]

    @property
    def _networks(self) -> list[keras.Model]:
        networks = (getattr(self, role) for role in self.NETWORKS)
        return [network for network in networks if network is not None]

    # Training

    def minimise(
        self,
        optimizer: keras.Optimizer,
        variables: list[keras.Variable],
        loss_function: Callable[[], tuple[tf.Tensor, Logs]],
    ) -> Logs:
        """Take one optimiser step and return the loss function's logs.

        The loss is divided by the number of replicas, because `tf.distribute` sums their gradients (trap 19),
        and scaled inside the tape, so that small float16 gradients survive (trap 7).

        Args:
            optimizer: From `prepare_optimizer`.
            variables: The variables that may change; all others stay as they are.
            loss_function: Runs the forward pass; returns the loss, a scalar, and the values to log.

        Raises:
            InputError: The optimiser was not made for one of the variables.
        """
        made_for = {id(variable) for variable in getattr(optimizer, "inner_optimizer", optimizer)._trainable_variables}
        unknown = [variable.path for variable in variables if id(variable) not in made_for]
        if unknown:
            raise InputError(
                "A model is compiled again after more of it became trainable, since its optimiser has no state for "
                f"that. Received: {unknown[0]}, which was not trainable."
            )
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        with tf.GradientTape() as tape:
            loss, logs = loss_function()
            loss = scalar(f"What {type(self).__name__} minimises", loss)
            scaled = optimizer.scale_loss(loss / replicas)
        gradients = tape.gradient(scaled, [variable.value for variable in variables])
        optimizer.apply(gradients, variables)
        return logs

    def with_added_losses(self, loss: tf.Tensor, variables: list[keras.Variable]) -> tf.Tensor:
        """The loss that changes these variables, with what their networks, just called, add to it: regularisers."""
        changing = {id(variable) for variable in variables}
        networks = [
            network for network in self._networks if any(id(weight) in changing for weight in network.trainable_weights)
        ]
        added = [loss for network in networks for loss in added_losses(network)]
        return tf.add_n([loss, *added]) if added else loss

    def next_seed(self) -> tf.Tensor:
        """A fresh seed `(2,)` for one stateless random op, different on every replica (trap 20)."""
        seed = tf.cast(self.random_state.next(), tf.int64)
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        return fold_seed(seed, replica)

    def add_trackers(self, names: Iterable[str]) -> None:
        """Make running means for these logs where there are none yet (trap 15)."""
        for name in names:
            self._trackers.setdefault(name, keras.metrics.Mean(name=name))

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return list(self._trackers.values())

    def track(self, logs: Logs, batch_size: tf.Tensor | int) -> Logs:
        """Add one batch to the running means and return them.

        Raises:
            InputError: A log was not announced to `add_trackers`.
        """
        unknown = sorted(set(logs) - set(self._trackers))
        if unknown:
            raise InputError(
                f"A model names all that it logs to add_trackers in its __init__. Received: the log {unknown[0]!r}."
            )
        weight = tf.cast(batch_size, tf.float32)
        for name, value in logs.items():
            # The last batch of an evaluation may leave a replica without a sample: the mean of nothing is NaN.
            value = tf.where(weight > 0, value, tf.zeros_like(value))
            self._trackers[name].update_state(value, sample_weight=weight)
        # MultiWorkerMirroredStrategy cannot reduce scalars (trap 21).
        several_workers = isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy)
        shape = (1,) if several_workers else ()
        return {name: tf.reshape(self._trackers[name].result(), shape) for name in logs}

    def _get_metrics_result_or_logs(self, logs: Logs) -> dict[str, Any]:
        """The running means over all replicas, for the names that were logged.

        Keras does so only where every metric was logged, and an evaluation logs no terms; else it takes the mean of
        the replicas' means, which is another number where a last batch was divided unevenly.
        """
        results = self.get_metrics_result()
        return {name: results.get(name, value) for name, value in (logs or {}).items()}

    # Export

    def export(
        self, filepath: str | Path, manifest: dict[str, Any] | None = None, *, format: str = "tf_saved_model"
    ) -> None:
        """Write a SavedModel that TensorFlow alone can load, sample and serve.

        Args:
            filepath: Folder of the SavedModel. It must not hold anything else.
            manifest: What is known of the model's making, added to `manifest.json` beside the graph.
            format: As in `keras.Model.export`; other formats hold one network, and are exported from that.

        Raises:
            InputError: Another format, or a folder that holds something else.
        """
        if format != "tf_saved_model":
            raise InputError(
                "A model is exported as 'tf_saved_model'; for other formats export one of its networks, for instance "
                f"'with model.averaged_weights(): model.{self.NETWORKS[0]}.export(path, format={format!r})'. "
                f"Received: format={format!r}."
            )
        from kmatgen.export import write_saved_model

        with self.averaged_weights():
            write_saved_model(self, filepath, manifest)
