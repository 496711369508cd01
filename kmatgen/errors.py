"""What kmatgen raises when the input, not the program, is at fault."""

from __future__ import annotations


class InputError(ValueError):
    """Something the user gave cannot be used: a file, a folder, an option, an array.

    The message is one sentence that names the thing, says what would work, and ends in
    "Received: ...". The command line prints it without a traceback and exits with code 2.
    """
