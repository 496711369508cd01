"""What watches a training of `kmatgen train`: guards, the clock, averages, and the judge of samples."""

from __future__ import annotations

from collections.abc import Iterable

import keras
import numpy as np

from kmatgen.callbacks import (
    BestCheckpoint,
    CollapseMonitor,
    EvaluateSamples,
    GeneratorEMA,
    StopAfterMinutes,
    StopOnNonFinite,
)
from kmatgen.data.opened import Source
from kmatgen.errors import InputError
from kmatgen.models.base import GenerativeModel
from kmatgen.models.gan import GAN
from kmatgen.run import Run


def before_writing(run: Run, model: GenerativeModel, source: Source) -> list[keras.callbacks.Callback]:
    """The callbacks that come before all that writes, in the order that they need."""
    # Runs that began before there was such a setting go on as they began.
    options = run.config["fit"]
    minutes, decay = options.get("minutes"), options.get("ema")
    watching: list[keras.callbacks.Callback] = [StopOnNonFinite(run.checkpoint_folder)]
    watching += [] if minutes is None else [StopAfterMinutes(minutes)]
    watching += [] if decay is None else [GeneratorEMA(decay)]
    if isinstance(model, GAN):
        earlier, asked = run.history().to_dict("records"), source.example_condition(64)
        # Real crystals are on the scale of training, generated ones in data units: those are compared with each other.
        real = source.test[:64] if source.crystals is None else None
        monitor = CollapseMonitor(seed=run.config["seed"], real=real, condition=asked, earlier=earlier)
        watching.append(monitor)
    return [*watching, *_judge(run, model, source)]


def keeping_the_best(run: Run, watching: Iterable[keras.callbacks.Callback]) -> list[keras.callbacks.Callback]:
    """What keeps the model with the best samples, where those are judged.

    Raises:
        InputError: What is to be the least is not among what is judged.
    """
    judge = next((callback for callback in watching if isinstance(callback, EvaluateSamples)), None)
    if judge is None:
        return []
    monitor = run.config["fit"]["monitor"]
    if monitor not in judge.names:
        raise InputError(f"fit.monitor is one of {', '.join(judge.names)}, from fit.evaluate. Received: {monitor!r}.")
    before = run.best_epoch()
    return [BestCheckpoint(run.checkpoint_folder, monitor, before[1] if before else np.inf, run.writes)]


def _judge(run: Run, model: GenerativeModel, source: Source) -> list[keras.callbacks.Callback]:
    """The judge of samples; none where there are no images to judge."""
    options, test = run.config["fit"], source.test
    images = (
        source.crystals is None
        and isinstance(test, np.ndarray)
        and test.ndim >= 4
        and 0 <= test.min() <= test.max() <= 1
    )
    if not options.get("evaluate_every") or not model.HAS_PRIOR or not images:
        return []
    asked, earlier = source.example_condition(options["evaluate_n"]), run.history().to_dict("records")
    every, metrics, n = options["evaluate_every"], options["evaluate"], options["evaluate_n"]
    return [EvaluateSamples(test, every, metrics, n, run.config["seed"], asked, earlier=earlier)]
