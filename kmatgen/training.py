"""Train a model from a configuration: what `kmatgen train`, the apps and the studies do."""

from __future__ import annotations

import copy
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kmatgen import networks, registry
from kmatgen.callbacks import EpochCheckpoint, SampleGrid
from kmatgen.data.pipeline import batches
from kmatgen.data.sources import Source, open_source
from kmatgen.errors import InputError
from kmatgen.models.base import GenerativeModel
from kmatgen.presets import Config
from kmatgen.report import write_run_report
from kmatgen.run import Run, check_free

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
    check_free(folder)
    source = open_source(config["data"], config["seed"], progress=verbose != 0)
    keras.utils.set_random_seed(config["seed"])
    model = build_model(config, source.sample_shape)
    return _fit(Run.create(folder, config), model, source, verbose)


def resume(folder: str | Path, wanted: dict[str, Any] | None = None, verbose: str | int = "auto") -> Run:
    """Go on with a run that was interrupted, or train a finished one longer.

    Args:
        folder: Folder of the run.
        wanted: Settings given with the resume, by dotted path; only those of `fit` may differ from the run's.
        verbose: As in `keras.Model.fit`.
    """
    run = Run.open(folder)
    run.adopt(wanted or {})
    source = open_source(run.config["data"], run.config["seed"], progress=verbose != 0)
    if run.finished_epochs:
        model = run.load_model()
    else:
        keras.utils.set_random_seed(run.config["seed"])
        model = build_model(run.config, source.sample_shape)
    return _fit(run, model, source, verbose)


def build_model(config: Config, sample_shape: tuple[int, ...]) -> GenerativeModel:
    """The compiled model of a configuration, for samples of this shape."""
    if config["precision"] not in _PRECISIONS:
        raise InputError(f"precision is one of {', '.join(_PRECISIONS)}. Received: {config['precision']!r}.")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(config["precision"])
    try:
        parts = {
            role: getattr(networks, part["builder"])(sample_shape, **part["config"])
            for role, part in config["networks"].items()
        }
        cls = registry.get_class("model", config["model"]["class_name"])
        model = cls(**parts, **config["model"]["config"], seed=config["seed"], name=config["preset"])
    finally:
        keras.config.set_dtype_policy(before)
    # Keras rewrites the dicts that it reads; the configuration has to stay what it was.
    model.compile(**{name: _from_json(copy.deepcopy(value)) for name, value in config["compile"].items()})
    return model


def _from_json(value: Any) -> Any:
    """A compile argument as an object where the configuration holds its class name."""
    if not isinstance(value, dict) or "class_name" not in value:
        return value
    if value["class_name"] in registry.names("schedule"):
        return registry.get("schedule", value)
    return keras.optimizers.deserialize(value)


def _fit(run: Run, model: GenerativeModel, source: Source, verbose: str | int) -> Run:
    options, seed = run.config["fit"], run.config["seed"]
    first_epoch = run.finished_epochs
    run.check_data(source.description)
    run.cut_history(first_epoch)
    train_batches = batches(
        source.train,
        options["batch_size"],
        seed=seed,
        cache=_worth_caching(run.config, source),
        first_epoch=first_epoch,
    )
    test_batches = batches(source.test, options["batch_size"], seed=None, drop_remainder=False)
    shown = source.test[:16] if hasattr(model, "reconstruct") else None
    logger = keras.callbacks.CSVLogger(str(run.history_file), append=first_epoch > 0)
    callbacks = [
        logger,
        SampleGrid(run.folder, every=options["sample_every"], seed=seed, images=shown),
        EpochCheckpoint(run.checkpoint_folder),
    ]
    started = time.perf_counter()
    try:
        model.fit(
            train_batches,
            validation_data=test_batches,
            epochs=options["epochs"],
            initial_epoch=first_epoch,
            verbose=verbose,
            callbacks=callbacks,
        )
    finally:
        # Keras leaves the file open when it is interrupted.
        if logger.csv_file is not None:
            logger.on_train_end()
    _finish(run, model, source, time.perf_counter() - started)
    return run


def _finish(run: Run, model: GenerativeModel, source: Source, seconds: float) -> None:
    before = run.read_json("metrics.json").get("seconds", 0.0) if run.finished_epochs else 0.0
    history = run.history()
    metrics = {
        "epochs": len(history),
        "parameters": model.count_params(),
        "seconds": round(before + seconds, 1),
        "last": {name: float(value) for name, value in history.iloc[-1].items() if name != "epoch"},
        "floors": _floors(model, source.test),
    }
    run.write_json("metrics.json", metrics)
    write_run_report(run, model, source.test)


def _floors(model: GenerativeModel, test: np.ndarray) -> dict[str, float]:
    """The least value that each validation loss could have on these data."""
    if getattr(model, "reconstruction", None) is None:
        return {}
    if model.reconstruction.__name__ != "binary_crossentropy":
        return {"val_reconstruction_loss": 0.0}
    certain = tf.clip_by_value(tf.cast(test, tf.float64), 1e-12, 1 - 1e-12)
    entropy = -(certain * tf.math.log(certain) + (1 - certain) * tf.math.log1p(-certain))
    return {"val_reconstruction_loss": float(tf.reduce_mean(entropy))}


def _worth_caching(config: Config, source: Source) -> bool:
    options = config["data"]["micrographs"]
    changes = bool(options["augment"]) or options["per_image"] is not None
    count = int(source.train.cardinality())
    return not changes and 0 <= count * 4 * int(np.prod(source.sample_shape)) <= _CACHE_BYTES
