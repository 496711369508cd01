"""Train a model from a configuration: what `kmatgen train`, the apps and the studies do."""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kmatgen import distribute, networks, registry
from kmatgen.callbacks import EpochCheckpoint, SampleGrid
from kmatgen.crystal_models import crystal_parts
from kmatgen.crystal_pictures import MOST_CELLS
from kmatgen.data.opened import Source
from kmatgen.data.pipeline import batches
from kmatgen.data.sources import open_source
from kmatgen.errors import InputError
from kmatgen.fractions import asked_and_made, follows_fractions
from kmatgen.models.base import GenerativeModel
from kmatgen.presets import Config, filled_in
from kmatgen.report import write_run_report
from kmatgen.run import Run, check_free
from kmatgen.watching import before_writing, keeping_the_best

# Samples up to this size together are kept in memory after their first reading.
_CACHE_BYTES = 2**30
_PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def train(config: Config, folder: str | Path, verbose: str | int = "auto") -> Run:
    """Train in a new folder, and leave a complete run there.

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
    model = _build_under(strategy, config, source)
    _check_batch_size(strategy, config, model)
    run = Run(Path(folder), config, writes=chief)
    _check_agreement(strategy, run, source)
    return _fit(run, strategy, model, source, verbose)


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
        model = _build_under(strategy, run.config, source)
    _check_batch_size(strategy, run.config, model)
    return _fit(run, strategy, model, source, verbose)


def _build_under(strategy: tf.distribute.Strategy, config: Config, source: Source) -> GenerativeModel:
    keras.utils.set_random_seed(config["seed"])
    with strategy.scope():
        return build_model(config, source.sample_shape, _facts(config, source))


def _facts(config: Config, source: Source) -> dict[str, Any]:
    """What a configuration leaves to the data, see `kmatgen.presets.FROM_DATA`."""
    of_crystals = {} if source.crystals is None else crystal_parts(source.crystals)
    return {**source.facts, **of_crystals, "decay_steps": _steps(config, source)}


def _steps(config: Config, source: Source) -> int:
    """Number of optimiser steps of a whole training; 1 where the number of samples is not known."""
    fit = config["fit"]
    samples = int(source.train.cardinality()) * fit.get("passes", 1)
    return max(1, samples // fit["batch_size"] * fit["epochs"])


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


def build_model(
    config: Config, sample_shape: tuple[int, ...], facts: Mapping[str, Any] = MappingProxyType({})
) -> GenerativeModel:
    """The compiled model of a configuration.

    Args:
        config: A resolved configuration.
        sample_shape: Shape of one sample.
        facts: What the configuration leaves to the data, see `kmatgen.presets.filled_in`.
    """
    if config["precision"] not in _PRECISIONS:
        raise InputError(f"precision is one of {', '.join(_PRECISIONS)}. Received: {config['precision']!r}.")
    _check_kind(config, sample_shape)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(config["precision"])
    try:
        parts = {
            role: getattr(networks, part["builder"])(sample_shape, **part["config"])
            for role, part in filled_in(config["networks"], facts).items()
        }
        cls = registry.get_class("model", config["model"]["class_name"])
        more = filled_in(config["model"]["config"], facts)
        model = cls(**parts, **more, seed=config["seed"], name=config["preset"])
    finally:
        keras.config.set_dtype_policy(before)
    # Filled in is a copy: Keras rewrites the dicts that it reads, and the configuration has to stay what it was.
    model.compile(**{name: _from_json(value) for name, value in filled_in(config["compile"], facts).items()})
    return model


def _check_kind(config: Config, sample_shape: Any) -> None:
    """Refuse networks of images for crystals, and the other way round, and properties that no network predicts."""
    are_fields = isinstance(sample_shape, dict)
    for part in config["networks"].values():
        if (part["builder"] in networks.OF_FIELDS) != are_fields:
            wanted = "Crystals are trained with a preset such as crystal_diffusion"
            if not are_fields:
                wanted = "The networks of this preset are for crystals: CIF files or a csv table of them"
            raise InputError(f"{wanted}. Received: {config['preset']} with {config['data']['source']}.")
    # Runs that began before there was such a setting go on as they began.
    properties = config["data"]["crystals"].get("properties")
    if properties and "property_head" not in config["networks"]:
        raise InputError(
            "Properties are predicted by crystal_vae; other models are generated for data.crystals.conditions. "
            f"Received: {config['preset']} with data.crystals.properties={properties}."
        )


def _from_json(value: Any) -> Any:
    """A compile argument as an object where the configuration holds its class name."""
    if not isinstance(value, dict) or "class_name" not in value:
        return value
    if value["class_name"] in registry.names("schedule"):
        return registry.get("schedule", value)
    return keras.optimizers.deserialize(value)


def _fit(run: Run, strategy: tf.distribute.Strategy, model: GenerativeModel, source: Source, verbose: str | int) -> Run:
    options, seed = run.config["fit"], run.config["seed"]
    first_epoch = run.finished_epochs
    run.check_data(source.description)
    run.cut_history(first_epoch)
    # Runs that began before there was such a setting go on as they began.
    passes = options.get("passes", 1)
    train_batches = batches(
        source.train.repeat(passes) if passes > 1 else source.train,
        options["batch_size"],
        seed=seed,
        cache=_worth_caching(source),
        d_steps=getattr(model, "d_steps", 1),
        first_epoch=first_epoch,
        alike=source.alike,
    )
    test_batches = batches(source.held_out, options["batch_size"], seed=None, drop_remainder=False)
    shown = source.test[:16] if hasattr(model, "reconstruct") and source.crystals is None else None
    watching = before_writing(run, model, source)
    callbacks = [EpochCheckpoint(run.checkpoint_folder, writes=run.writes), *keeping_the_best(run, watching)]
    logger = keras.callbacks.CSVLogger(str(run.history_file), append=first_epoch > 0)
    if run.writes:
        asked = source.example_condition(64)
        pictured = 64 if source.crystals is None else MOST_CELLS
        pictures = SampleGrid(run.folder, pictured, options["sample_every"], seed, images=shown, condition=asked)
        callbacks = [logger, pictures, *callbacks]
    # Whatever refuses the configuration has done so by now, and leaves no folder behind.
    run.begin(source.description)
    started = time.perf_counter()
    try:
        model.fit(
            train_batches,
            validation_data=test_batches,
            epochs=options["epochs"],
            initial_epoch=first_epoch,
            verbose=verbose if run.writes else 0,
            callbacks=[*watching, *callbacks],
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


def _worth_caching(source: Source) -> bool:
    shapes = source.sample_shape
    numbers = sum(int(np.prod(shape)) for shape in (shapes.values() if isinstance(shapes, dict) else [shapes]))
    return source.repeats and 0 <= int(source.train.cardinality()) * 4 * numbers <= _CACHE_BYTES
