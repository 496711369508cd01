"""Checks of arguments: whole numbers, and for synthetic data numbers that each image may draw from a range."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np

from kmatgen.errors import InputError

# A number, or the ends of a range from which every image draws its own.
NumberOrRange = float | tuple[float, float]


def number_range(name: str, value: NumberOrRange, low: float) -> tuple[float, float]:
    """The two ends of a range, which are equal for a number.

    Raises:
        InputError: It is neither a number nor a pair of them that goes from low to high, or begins below `low`.
    """
    ends = (value, value) if is_number(value) else value
    if not isinstance(ends, tuple | list) or len(ends) != 2 or not all(map(is_number, ends)):
        raise InputError(f"{name} is a number or a pair (low, high). Received: {value!r}.")
    if not low <= ends[0] <= ends[1]:
        raise InputError(f"{name} is at least {low:g} and goes from low to high. Received: {value!r}.")
    return float(ends[0]), float(ends[1])


def check_whole_numbers(**arguments: tuple[int, int]) -> None:
    """Refuse arguments that are no whole numbers of at least a least value.

    Args:
        **arguments: By name the value and the least it may be.

    Raises:
        InputError: One of them is not.
    """
    for name, (value, low) in arguments.items():
        if not isinstance(value, Integral) or isinstance(value, bool) or value < low:
            raise InputError(f"{name} is a whole number of at least {low}. Received: {value!r}.")


def is_number(value: object) -> bool:
    """Whether it is a finite real number."""
    return isinstance(value, Real) and not isinstance(value, bool) and bool(np.isfinite(value))
