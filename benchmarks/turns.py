"""Time peers fairly: each in a process of its own, so that thread pools do not disturb each other, and in turns,
so that a machine that slows down slows all of them.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import numpy as np

Work = Callable[[], None]


def take_turns(
    peers: dict[str, Callable[[], Work]], rounds: int, warm_up: int = 1, clock: str = "perf_counter"
) -> dict[str, float]:
    """Median seconds that each peer's work takes.

    Args:
        peers: For each name a module-level function that sets up and returns the work to be timed. One whose
            set-up or first turn raises is reported and left out.
        rounds: Timed turns of each.
        warm_up: Turns before those that count: tracing, compiling, filling caches.
        clock: Of the module `time`; `"process_time"` for work on one core, which other work disturbs less.
    """
    context = multiprocessing.get_context("spawn")
    running = {}
    for name, setup in peers.items():
        here, there = context.Pipe()
        process = context.Process(target=_serve, args=(setup, there, clock), daemon=True)
        process.start()
        running[name] = here
    times: dict[str, list[float]] = {name: [] for name in peers}
    for turn in range(warm_up + rounds):
        # Another begins each time: threads of the peer before go on waiting for work for a while, and disturb.
        first = turn % max(1, len(running))
        for name in [*running][first:] + [*running][:first]:
            running[name].send("go")
            answer = running[name].recv()
            if isinstance(answer, str):
                print(f"{name} does not run here: {answer}")
                del running[name], times[name]
            elif turn >= warm_up:
                times[name].append(answer)
    return {name: float(np.median(values)) for name, values in times.items()}


def machine() -> str:
    """The machine in words, for the table a ratio goes into."""
    return f"{os.cpu_count()} cores {platform.machine()}, {platform.system()}, Python {platform.python_version()}"


def _serve(setup: Callable[[], Work], pipe: Connection, clock: str) -> None:
    work, now = None, getattr(time, clock)
    while True:
        try:
            pipe.recv()
        except EOFError:
            return
        try:
            work = work or setup()
            start = now()
            work()
            pipe.send(now() - start)
        except Exception as error:
            pipe.send(f"{type(error).__name__}: {error}".splitlines()[0])
            return
