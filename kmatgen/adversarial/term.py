"""What the terms share: weight, name, configuration, and the checks of their arguments."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from kmatgen.errors import InputError


class BaseTerm:
    """Parent of every term: something added to the loss of one side or of both.

    A subclass defines `d_loss(round)`, `g_loss(round)`, or both: unweighted scalars, which the GAN multiplies
    by `weight`. It may also define `check(generator, discriminator)`, called by `GAN.compile`, which raises
    `InputError` for networks that it cannot be used with; `after_d_step(discriminator)`, called after every update of
    the discriminator; and `draw_condition(n, seed)`, for conditions that data do not bring. A term keeps no state; its
    randomness comes from `round.seed`.

    Args:
        weight: Factor of the term in a side's loss, at least 0.
        name: Name under which the term is logged; not empty.

    Attributes:
        requires: Discriminator outputs that the term reads beside `score`.
        g_reads_real: Whether `g_loss` reads `round.real_outputs`, which are computed only then.

    Raises:
        InputError: An argument is out of range.
    """

    requires: tuple[str, ...] = ()
    g_reads_real = False

    def __init__(self, weight: float, name: str) -> None:
        check_number(type(self).__name__, "weight", weight, least=0)
        if not isinstance(name, str) or not name:
            raise InputError(f"{type(self).__name__} needs a name that is not empty. Received: {name!r}.")
        self.weight = weight
        self.name = name

    def get_config(self) -> dict[str, Any]:
        """Every argument of `__init__`."""
        return {"weight": self.weight, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> BaseTerm:
        """The term of that configuration."""
        return cls(**config)


def check_number(owner: str, argument: str, value: Any, least: float | None = None, above: float | None = None) -> None:
    """Refuse what is not a finite number, is smaller than `least`, or is not larger than `above`."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or (least is not None and value < least) or (above is not None and value <= above):
        bound = f" of at least {least}" if least is not None else f" above {above}" if above is not None else ""
        raise InputError(f"{owner} needs {argument} to be a finite number{bound}. Received: {argument}={value!r}.")


def check_whole(owner: str, argument: str, value: Any, least: int) -> None:
    """Refuse what is not a whole number of at least `least`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InputError(
            f"{owner} needs {argument} to be a whole number of at least {least}. Received: {argument}={value!r}."
        )


def float32_fields(owner: str, sample: Any) -> Any:
    """The sample with all fields in float32.

    Raises:
        InputError: A field holds integers, which have neither gradients nor points between them.
    """
    fields = keras.tree.map_structure(tf.convert_to_tensor, sample)
    kinds = keras.tree.map_structure(lambda field: field.dtype.name, fields)
    if not all(field.dtype.is_floating for field in keras.tree.flatten(fields)):
        raise InputError(
            f"{owner} works on samples of floats; give integers, such as species, one-hot. Received: {kinds}."
        )
    return keras.tree.map_structure(lambda field: tf.cast(field, tf.float32), fields)


def entry_of(owner: str, what: str, structure: Any, field: str | None) -> Any:
    """One entry of a sample or a condition that may be a dict; what is no dict is its own only entry.

    Args:
        owner: Name of the term, for the message.
        what: `"sample"` or `"condition"`, for the message.
        structure: A tensor, or a dict of tensors.
        field: Key of the dict; None for a tensor.

    Raises:
        InputError: There is no such entry, or one must be chosen and is not.
    """
    if structure is None:
        raise InputError(f"{owner} needs a {what}; train on pairs of sample and condition. Received: None.")
    if not isinstance(structure, dict) and field is None:
        return structure
    if isinstance(structure, dict) and field in structure:
        return structure[field]
    found = f"the fields {sorted(structure)}" if isinstance(structure, dict) else "one tensor"
    raise InputError(f"{owner} has field={field!r}, which must name an entry of the {what}. Received: {found}.")
