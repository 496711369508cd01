"""The sub-networks of a model as it needs them: functional, of named parts, each with weights of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from kmatgen.errors import InputError


def as_functional(role: str, network: Any) -> keras.Model:
    """A network that says what it takes and gives: a tensor, or tensors by name.

    A `keras.Sequential`, and a model of lists of one tensor, become functional models of the same layers.

    Args:
        role: What the network is to its model, for the message.
        network: What the user gave.

    Raises:
        InputError: It does not say so, as a `keras.Model` with a `call` of its own, or has lists of tensors.
    """
    # Only functional and sequential models that are built have symbolic inputs.
    if not isinstance(network, keras.Model) or not network.built or not hasattr(network, "inputs"):
        raise InputError(
            f"{role} is a functional keras.Model, or a keras.Sequential that begins with keras.Input; a model with "
            f"a call of its own becomes one by keras.Model(inputs, network(inputs)). Received: {network!r}."
        )
    if isinstance(network, keras.Sequential):
        return keras.Model(network.inputs[0], network.outputs[0], name=network.name)
    ends = network.input, network.output
    if any(isinstance(end, list | tuple) and len(end) > 1 for end in ends):
        counts = " and ".join(str(len(keras.tree.flatten(end))) for end in ends)
        raise InputError(
            f"{role} takes and gives a tensor, or a dict of tensors that says what each is. "
            f"Received: {network!r} of lists, with {counts} tensors."
        )
    if not any(isinstance(end, list | tuple) for end in ends):
        return network
    return keras.Model(*(end[0] if isinstance(end, list | tuple) else end for end in ends), name=network.name)


def check_own_weights(networks: Mapping[str, keras.Model | None]) -> None:
    """Refuse networks of one model that share weights: in a file each stands by itself, so that it could not be loaded.

    Raises:
        InputError: Two of them do.
    """
    owners: dict[int, str] = {}
    for role, network in networks.items():
        for weight in [] if network is None else network.weights:
            owner = owners.setdefault(id(weight), role)
            if owner != role:
                raise InputError(
                    "The networks of a model have layers of their own, since its file holds each network by itself. "
                    f"Received: {weight.path} in {owner} and {role}."
                )


def scalar(what: str, value: Any) -> tf.Tensor:
    """A number that is minimised; of a vector the tape would take the gradient of the sum.

    Raises:
        InputError: It is no scalar.
    """
    value = tf.convert_to_tensor(value)
    if value.shape.rank != 0:
        raise InputError(f"{what} is a scalar, for instance a mean over the batch. Received: shape {value.shape}.")
    return value


def added_losses(network: keras.Model) -> list[tf.Tensor]:
    """What a network itself adds to the loss that it is trained with: regularisers of weights and of activities.

    Those of activities, and what layers give to `add_loss`, are of the network's last call.
    """
    return [tf.reduce_sum(tf.cast(loss, tf.float32)) for loss in network.losses]


def adds_losses_in_calls(network: keras.Model) -> bool:
    """Whether a network adds more to the loss than regularisers of its weights."""
    of_weights = sum(weight.regularizer is not None for weight in network.trainable_weights)
    return len(network.losses) > of_weights
