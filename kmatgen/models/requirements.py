"""What is asked of the values of a batch, which are known only while a traced step runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from kmatgen.errors import InputError

_FAILED = re.compile(r"assertion failed: \[InputError: ([^\n]*)\]")
# What an embedding says of a class that it does not have; on a GPU it says nothing and takes zeros.
_UNKNOWN = re.compile(r"indices\[[^]]*\] = (-?\d+) is not in \[0, (\d+)\)")


def require(condition: tf.Tensor | bool, sentence: str, *values: Any, of: Any) -> Any:
    """Stop the step where `condition` does not hold, before anything is computed with what is required.

    Compiled with XLA, as on GPUs, a step cannot stop; then nothing is checked.

    Args:
        condition: A boolean scalar.
        sentence: What is wanted; it ends in "Received:".
        *values: What was received, appended to the sentence.
        of: The tensors that the requirement is about.

    Returns:
        `of`, to be computed with.
    """
    if tf.executing_eagerly():
        if not condition:
            raise InputError(f"{' '.join(str(part) for part in (sentence, *map(_plain, values)))}.")
        return of
    with tf.control_dependencies([tf.debugging.Assert(condition, [f"InputError: {sentence}", *values])]):
        return tf.nest.map_structure(tf.identity, of)


def _plain(value: Any) -> Any:
    return value.numpy() if tf.is_tensor(value) else value


@contextmanager
def explained() -> Iterator[None]:
    """A context that turns TensorFlow's report of a failed `require`, or of an unknown class, into one sentence.

    Raises:
        InputError: A requirement failed inside, or a condition is a class that a network does not know.
    """
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        unknown = _UNKNOWN.search(error.message)
        if unknown:
            classes = f"0 to {int(unknown[2]) - 1}"
            raise InputError(f"The classes of this condition are {classes}. Received: {unknown[1]}.") from error
        found = _FAILED.search(error.message)
        if found is None:
            raise
        raise InputError(found[1].replace("] [", " ").replace("[", "").replace("]", "") + ".") from error
