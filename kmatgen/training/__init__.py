"""Train a model from a configuration: what `kmatgen train`, the apps and the studies do."""

from __future__ import annotations

import time
import zlib
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kmatgen import distribute
from kmatgen.callbacks import EpochCheckpoint, SampleGrid
from kmatgen.data.opened import Source
from kmatgen.data.pipeline import batches
from kmatgen.data.sources import open_source
from kmatgen.errors import InputError
from kmatgen.evaluation.fractions import asked_and_made, follows_fractions
from kmatgen.models.base import GenerativeModel
from kmatgen.plotting.crystals import MOST_CELLS
from kmatgen.presets import Config
from kmatgen.report import write_run_report
from kmatgen.run import Run, check_free
from kmatgen.training.building import build_model, build_under
from kmatgen.training.watching import before_writing, keeping_the_best

__all__ = ["build_model", "resume", "train"]

# Samples up to this size together are kept in memory after their first reading.
_CACHE_BYTES = 2**30


def train(config: Config, folder: str | Path, verbose: str | int = "auto") -> Run:
    """Train in a new folder, and leave a complete run there.

    An interrupted training leaves what `resume` takes up; one that fails before its first epoch is over leaves the
    folder as it was.

    Args:
        config: A resolved configuration, from `kmatgen.presets.resolve`.
        folder: A new or an empty folder.
        verbose: As in `keras.Model.fit`; 0 is silent.

    Raises:
        InputError: The configuration, the data or the folder cannot be used; nothing was overwritten.
    """
    # First of all: several workers cannot be set up once TensorFlow has begun to work.
    strategy = distribute.strategy(config["strategy"])
    chief = distribute.is_chief(strategy)
    if chief:
        check_free(folder)
    source = open_source(config["data"], config["seed"], progress=chief and verbose != 0)
    model = build_under(strategy, config, source)
    _check_batch_size(strategy, config, model)
    run = Run(Path(folder), config, writes=chief)
    _check_agreement(strategy, run, source)
    try:
        return _fit(run, strategy, model, source, verbose)
    except Exception:
        # Several workers are started again together, and go on with what there is.
        if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            run.discard()
        raise


def resume(folder: str | Path, wanted: dict[str, Any] | None = None, verbose: str | int = "auto") -> Run:
    """Go on with a run that was interrupted, or train a finished one longer.

    Args:
        folder: Folder of the run.
        wanted: Settings given with the resume, by dotted path; only those of `fit` may differ from the run's.
        verbose: As in `keras.Model.fit`.
    """
    before = Run.open(folder).config
    strategy = distribute.strategy((wanted or {}).get("strategy", before.get("strategy", "auto")))
    run = Run.open(folder, writes=distribute.is_chief(strategy))
    run.adopt(wanted or {})
    progress = run.writes and verbose != 0
    passes = run.finished_epochs * run.config["fit"].get("passes", 1)
    source = open_source(run.config["data"], run.config["seed"], progress, passes)
    _check_agreement(strategy, run, source)
    if run.finished_epochs:
        with strategy.scope():
            model = run.load_model()
    else:
        model = build_under(strategy, run.config, source)
    _check_batch_size(strategy, run.config, model)
    return _fit(run, strategy, model, source, verbose)


def _check_agreement(strategy: tf.distribute.Strategy, run: Run, source: Source) -> None:
    """Make sure that all workers go on from the same checkpoint with the same data.

    Raises:
        InputError: They do not.
    """
    finished = distribute.gather(strategy, run.finished_epochs)
    if len(set(finished)) > 1:
        raise InputError(
            "All workers read the same run; put its folder on a file system that they share. "
            f"Received: {finished} finished epochs."
        )
    # TensorFlow gathers numbers, not text; sets of TFDS have no hash.
    hashes = distribute.gather(strategy, zlib.crc32(str(source.description["content_hash"]).encode()))
    if len(set(hashes)) > 1:
        raise InputError(
            "All workers train on the same data. "
            f"Received: {run.config['data']['source']}, with other content on some of the workers."
        )


def _check_batch_size(strategy: tf.distribute.Strategy, config: Config, model: GenerativeModel) -> None:
    d_steps = getattr(model, "d_steps", 1)
    distribute.check_batch_size(strategy, config["fit"]["batch_size"] * d_steps, d_steps)


def _fit(run: Run, strategy: tf.distribute.Strategy, model: GenerativeModel, source: Source, verbose: str | int) -> Run:
    """Train from the last finished epoch on, then write what came of it."""
    first_epoch = run.finished_epochs
    run.check_data(source.description)
    run.cut_history(first_epoch)
    train_batches, test_batches = _batches(run, model, source)
    logger = keras.callbacks.CSVLogger(str(run.history_file), append=first_epoch > 0)
    callbacks = _callbacks(run, model, source, logger)
    # Whatever refuses the configuration has done so by now, and leaves no folder behind.
    run.begin(source.description)
    started = time.perf_counter()
    try:
        model.fit(
            train_batches,
            validation_data=test_batches,
            epochs=run.config["fit"]["epochs"],
            initial_epoch=first_epoch,
            verbose=verbose if run.writes else 0,
            callbacks=callbacks,
        )
    except tf.errors.UnavailableError as error:
        raise InputError(
            f"Another worker went away; start all of them again with --resume {run.folder}. "
            f"Received: {type(error).__name__} during training."
        ) from error
    finally:
        # Keras leaves the file open when it is interrupted.
        if logger.csv_file is not None:
            logger.on_train_end()
    if run.writes:
        _finish(run, model, source, time.perf_counter() - started)
    # No worker leaves before the report is written: the others would take it for lost.
    distribute.gather(strategy, 0)
    return run


def _batches(run: Run, model: GenerativeModel, source: Source) -> tuple[tf.data.Dataset, tf.data.Dataset]:
    """Batches to train on, and held-out ones."""
    options = run.config["fit"]
    # Runs that began before there was such a setting go on as they began.
    passes = options.get("passes", 1)
    train_batches = batches(
        source.train.repeat(passes) if passes > 1 else source.train,
        options["batch_size"],
        seed=run.config["seed"],
        cache=_worth_caching(source),
        d_steps=getattr(model, "d_steps", 1),
        first_epoch=run.finished_epochs,
        alike=source.alike,
    )
    return train_batches, batches(source.held_out, options["batch_size"], seed=None, drop_remainder=False)


def _worth_caching(source: Source) -> bool:
    shapes = source.sample_shape
    numbers = sum(int(np.prod(shape)) for shape in (shapes.values() if isinstance(shapes, dict) else [shapes]))
    return source.repeats and 0 <= int(source.train.cardinality()) * 4 * numbers <= _CACHE_BYTES


def _callbacks(
    run: Run, model: GenerativeModel, source: Source, logger: keras.callbacks.CSVLogger
) -> list[keras.callbacks.Callback]:
    """What watches the training, then what writes; of several workers one logs and pictures."""
    watching = before_writing(run, model, source)
    keeping = [EpochCheckpoint(run.checkpoint_folder, writes=run.writes), *keeping_the_best(run, watching)]
    if not run.writes:
        return [*watching, *keeping]
    pictured, shown = (64, source.test[:16]) if source.crystals is None else (MOST_CELLS, None)
    pictures = SampleGrid(
        run.folder,
        pictured,
        run.config["fit"]["sample_every"],
        run.config["seed"],
        images=shown if hasattr(model, "reconstruct") else None,
        condition=source.example_condition(64),
    )
    return [*watching, logger, pictures, *keeping]


def _finish(run: Run, model: GenerativeModel, source: Source, seconds: float) -> None:
    before = run.read_json("metrics.json").get("seconds", 0.0) if run.finished_epochs else 0.0
    history = run.history()
    metrics = {
        "epochs": len(history),
        "parameters": model.count_params(),
        "seconds": round(before + seconds, 1),
        "last": {
            name: float(value) for name, value in history.iloc[-1].items() if name != "epoch" and not np.isnan(value)
        },
        "floors": _floors(model, source.test),
    }
    best = run.best_epoch()
    if best is not None and run.best_file is not None:
        metrics["best"] = {"epoch": best[0], run.config["fit"]["monitor"]: best[1]}
    if follows_fractions(model, source):
        asked, made = asked_and_made(model, source, seed=run.config["seed"])
        metrics["phase_fraction_error"] = float(np.abs(made - asked).mean())
    run.write_json("metrics.json", metrics)
    write_run_report(run, model, source)


def _floors(model: GenerativeModel, test: np.ndarray) -> dict[str, float]:
    """The least value that each validation loss could have on these data."""
    if getattr(model, "reconstruction", None) is None:
        return {}
    if model.reconstruction.__name__ != "binary_crossentropy":
        return {"val_reconstruction_loss": 0.0}
    certain = tf.clip_by_value(tf.cast(test, tf.float64), 1e-12, 1 - 1e-12)
    entropy = -(certain * tf.math.log(certain) + (1 - certain) * tf.math.log1p(-certain))
    return {"val_reconstruction_loss": float(tf.reduce_mean(entropy))}
