"""Work on several processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kmatgen.errors import InputError


def in_processes(function: Callable[..., Any], tasks: Sequence[tuple], jobs: int) -> list[Any]:
    """What a function returns for each tuple of arguments, in order.

    Args:
        function: One that a new process can import.
        tasks: Arguments of each call.
        jobs: Number of processes; 1 stays in this one.

    Raises:
        InputError: It is not 1 or more.
    """
    if jobs < 1:
        raise InputError(f"Work is done by one process or more. Received: jobs={jobs}.")
    if jobs == 1 or len(tasks) < 2:
        return [function(*task) for task in tasks]
    from joblib import Parallel, delayed

    return Parallel(n_jobs=jobs)(delayed(function)(*task) for task in tasks)
