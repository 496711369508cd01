"""TensorFlow's start, without what its libraries say on their own."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator

# Lines of the level "information", which abseil prints before TensorFlow could tell it not to.
_CHATTER = re.compile(rb"WARNING: All log messages before absl::InitializeLog|I\d{4} ")


def import_tensorflow() -> None:
    """Import TensorFlow; warnings and errors are shown, information is not.

    TF_CPP_MIN_LOG_LEVEL is 3 unless it is set. Its libraries write some lines (oneDNN, CUDA) before they read it,
    and these would stand above the one sentence that a command has to say.
    """
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "0" or "tensorflow" in sys.modules:
        return
    with _without_chatter():
        import tensorflow  # noqa: F401


def verbosity() -> str | int:
    """Keras' `verbose` for a program: a bar that moves in a terminal, in a file or a pipe one line for each epoch."""
    return "auto" if sys.stdout.isatty() else 2


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """Hold back what anything writes to the standard error, then pass it on without the chatter."""
    sys.stderr.flush()
    before = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(before, 2)
            os.close(before)
            held.seek(0)
            for line in held:
                if not _CHATTER.match(line):
                    os.write(2, line)
