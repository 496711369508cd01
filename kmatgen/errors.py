"""What kmatgen raises when the input or the course of a training, not the program, is at fault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class InputError(ValueError):
    """Something the user gave cannot be used: a file, a folder, an option, an array.

    The message is one sentence that names the thing, says what would work, and ends in
    "Received: ...". The command line prints it without a traceback and exits with code 2.
    """


class TrainingError(RuntimeError):
    """Training cannot go on: a loss or a weight is not finite any more.

    The message is one sentence that says what happened at which step, and which checkpoint was still good. The
    command line prints it without a traceback and exits with code 2.
    """


def check_choice(name: str, value: Any, choices: Sequence[Any]) -> None:
    """Refuse an argument that is none of its choices.

    Raises:
        InputError: It is not.
    """
    if value not in choices:
        raise InputError(f"{name} is one of {', '.join(map(repr, choices))}. Received: {value!r}.")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory, the machine's or a GPU's, is not enough; TensorFlow's own is known by name."""
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError"
