"""Exported models: a SavedModel that needs TensorFlow alone, and a manifest that says what it is.

Knows no model class: a model is whatever has `signatures()`.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import kmatgen
from kmatgen.errors import InputError
from kmatgen.models.requirements import explained
from kmatgen.models.structures import check_batch_size, check_class_range, check_count, check_rows, check_seed

MANIFEST = "manifest.json"


def write_saved_model(model: Any, folder: str | Path, manifest: dict[str, Any] | None = None) -> None:
    """Write `model.signatures()` as a SavedModel with `manifest.json` beside the graph.

    It is written next to its place first and moved there when complete, so that a failure leaves an
    earlier export as it was.

    Args:
        model: A `GenerativeModel`.
        folder: Where to write: a folder that is missing, empty, or an earlier export, which is replaced.
        manifest: Entries to add to the manifest, for instance `data` or `command`.

    Raises:
        InputError: The folder holds something that is not an export, or cannot be written.
    """
    folder = Path(folder)
    check_export_folder(folder)
    module = tf.Module()
    # Networks alone: no optimiser state, no random state (Keras' own archive stores every weight twice).
    module.weights = [weight.value for weight in model.weights]
    signatures = {}
    for name, (function, specs) in model.signatures().items():
        served = tf.function(_served(function, specs), input_signature=specs)
        setattr(module, name, served)
        signatures[name] = served.get_concrete_function()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
            fresh, old = Path(scratch) / "new", Path(scratch) / "old"
            tf.saved_model.save(module, str(fresh), signatures=signatures)
            text = json.dumps({**describe_model(model), **(manifest or {})}, indent=2, default=str)
            (fresh / MANIFEST).write_text(text + "\n", encoding="utf-8")
            if folder.exists():
                os.replace(folder, old)
            try:
                os.replace(fresh, folder)
            except OSError:
                if old.exists():
                    os.replace(old, folder)
                raise
    except OSError as error:
        raise InputError(
            f"The export folder {folder} cannot be written: {error.strerror}. Received: {folder}."
        ) from error


def check_export_folder(folder: Path) -> None:
    """Refuse a folder that holds anything but an earlier export of ours."""
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).is_file()):
        raise InputError(
            f"An export goes into a new folder, an empty one, or one that holds an earlier export with {MANIFEST}. "
            f"Received: {folder}, which holds something else."
        )


def describe_model(model: Any) -> dict[str, Any]:
    """The manifest entries that the model itself can fill in."""
    optimizer = getattr(model, "optimizer", None)
    signatures = {
        name: {spec.name: [spec.dtype.name, spec.shape.as_list()] for spec in specs}
        for name, (_, specs) in model.signatures().items()
    }
    return {
        "model": type(model).__name__,
        "parameters": model.count_params(),
        "signatures": signatures,
        "output": "float32, in data units",
        "seed": model.seed,
        "steps": int(optimizer.iterations) if optimizer is not None else 0,
        **({} if model.steps is None else {"sampling_steps": model.steps}),
        **({} if model.condition_classes is None else {"condition_classes": model.condition_classes}),
        "kmatgen": kmatgen.__version__,
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "numpy": importlib.metadata.version("numpy"),
        "python": platform.python_version(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def read_manifest(folder: str | Path) -> dict[str, Any]:
    """The manifest of an export, empty where there is none."""
    path = Path(folder) / MANIFEST
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


class ServedModel:
    """An export opened for sampling, with TensorFlow alone behind it.

    Args:
        folder: Folder of the SavedModel.

    Raises:
        InputError: It is no SavedModel, or has no `sample` signature.
    """

    def __init__(self, folder: str | Path) -> None:
        if not (Path(folder) / "saved_model.pb").is_file():
            raise InputError(f"A SavedModel is a folder with saved_model.pb in it. Received: {folder}.")
        # The loaded object is kept: without it its variables are deleted under the signatures (trap 26).
        self.loaded = tf.saved_model.load(str(folder))
        self.manifest = read_manifest(folder)
        if "sample" not in self.loaded.signatures:
            raise InputError(
                "Sampling needs an export with a 'sample' signature. "
                f"Received: {folder} with {', '.join(sorted(self.loaded.signatures)) or 'none'}."
            )

    @property
    def steps(self) -> int | None:
        """Steps of sampling unless asked for others, None for a model that is not sampled step by step."""
        takes = self.loaded.signatures["sample"].structured_input_signature[1]
        return self.manifest.get("sampling_steps", 50) if "steps" in takes else None

    def example_condition(self, n: int) -> np.ndarray | None:
        """The classes in turn, for a model of classes."""
        classes = self.manifest.get("condition_classes")
        return None if classes is None else np.arange(n) % classes

    def generate(
        self, n: int, condition: Any = None, *, seed: int | None = 0, batch_size: int = 256, steps: int | None = None
    ) -> np.ndarray | dict[str, np.ndarray]:
        """Draw `n` samples in data units; the same for the same seed and batch size.

        Args:
            n: Number of samples.
            condition: What is asked for, where the model takes a condition: one for each sample, or one for all; a
                dict of these where the condition has entries.
            seed: Seed of the first batch; the others' follow from it. `None` draws one.
            batch_size: Samples computed at a time.
            steps: Steps of a diffusion model. `None`: as many as the model was made with.

        Returns:
            `(n, ...)`, or a dict of such arrays where samples have fields.

        Raises:
            InputError: An argument is out of range, the condition is missing, not wanted or of the wrong shape, or the
                model has no steps.
        """
        n, seed, batch_size = check_count(n), check_seed(seed), check_batch_size(batch_size)
        if steps is not None and (not isinstance(steps, int | np.integer) or steps < 1):
            raise InputError(f"steps is a whole number of at least 1. Received: {steps!r}.")
        if steps is not None and self.steps is None:
            raise InputError(f"Only a diffusion model is sampled in steps. Received: steps={steps}.")
        name = "sample" if condition is None or "sample_for" not in self.loaded.signatures else "sample_for"
        sample = self.loaded.signatures[name]
        takes = dict(sample.structured_input_signature[1])
        settings = {} if self.steps is None else {"steps": tf.constant(steps or self.steps)}
        if condition is not None and "condition_classes" in self.manifest:
            check_class_range(condition, self.manifest["condition_classes"])
        rows = _condition_rows(condition, {key: takes[key] for key in takes if key not in ("n", "seed", "steps")}, n)
        starts = range(0, n, batch_size)
        parts = []
        for start, chunk in zip(starts, _chunk_seeds(seed, len(starts)), strict=True):
            given = {"n": tf.constant(min(batch_size, n - start)), "seed": tf.constant(chunk), **settings}
            asked = {key: values[start : start + batch_size] for key, values in rows.items()}
            with explained():
                parts.append(sample(**given, **asked))
        joined = {key: np.concatenate([part[key].numpy() for part in parts]) for key in parts[0]}
        return joined["sample"] if set(joined) == {"sample"} else joined


def _condition_rows(condition: Any, specs: dict[str, tf.TensorSpec], n: int) -> dict[str, tf.Tensor]:
    """The condition of `n` samples as a signature takes it, entry by entry."""
    if not specs and condition is not None:
        raise InputError(f"This model takes no condition. Received: condition={condition!r}.")
    given = condition if isinstance(condition, dict) and set(specs) != {"condition"} else {"condition": condition}
    if specs and set(given) != set(specs):
        received = ", ".join(sorted(given)) if isinstance(condition, dict) else repr(condition)
        raise InputError(f"A condition of this model is a dict with {', '.join(sorted(specs))}. Received: {received}.")
    return {name: check_rows(given[name], spec, n) for name, spec in specs.items()}


def _chunk_seeds(seed: int, count: int) -> list[int]:
    """One int32 seed for each chunk; the first is the user's own, so that one chunk equals `generate`."""
    more = np.random.default_rng(seed % 2**32).integers(2**31, size=count - 1)
    return [seed, *(int(value) for value in more)]


def _served(function: Callable, specs: list[tf.TensorSpec]) -> Callable:
    """The function as others see it: it takes the shapes that it says alone, and answers in float32."""

    def served(*arguments: tf.Tensor) -> dict[str, tf.Tensor]:
        # A loaded signature does not look at shapes, and what has as many values in all would be taken for a sample.
        fitting = [tf.ensure_shape(given, spec.shape) for given, spec in zip(arguments, specs, strict=True)]
        outputs = function(*fitting)
        return {
            name: tf.cast(value, tf.float32) if value.dtype.is_floating else value for name, value in outputs.items()
        }

    return served
