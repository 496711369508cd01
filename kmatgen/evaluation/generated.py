"""The samples that an evaluation is given: of a model, as arrays, or in a file or a folder."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from kmatgen.errors import InputError
from kmatgen.evaluation.inputs import as_array
from kmatgen.evaluation.view import as_samples


def draw_samples(model: Any, n: int, seed: int, condition: Any = None) -> np.ndarray:
    """Samples of a model, of a run, of a SavedModel, of a folder of images, or as they are given.

    Raises:
        InputError: There are none, or samples that are there already are asked for something.
    """
    if isinstance(model, (str, Path)):
        from kmatgen.sampling import class_ids

        path, model = Path(model), open_samples(Path(model))
        condition = _conditions_of_run(path, model, n) if condition is None else class_ids(path, condition)
    if hasattr(model, "generate"):
        if condition is None and hasattr(model, "example_condition"):
            condition = model.example_condition(n)
        asked = {} if condition is None else {"condition": condition}
        return as_samples("generated", model.generate(n, seed=seed, **asked))
    check_can_be_asked(model, condition)
    samples = as_samples("generated", as_array(model))
    return samples if len(samples) <= n else samples[np.random.default_rng(seed).permutation(len(samples))[:n]]


def check_can_be_asked(model: Any, condition: Any) -> None:
    """Refuse a condition for samples that were made already."""
    if condition is not None and not hasattr(model, "generate"):
        raise InputError(f"Only a model is asked for a condition; samples are what they are. Received: {condition!r}.")


def _conditions_of_run(path: Path, model: Any, n: int) -> np.ndarray | None:
    """What a run's held-out samples are like, where its model takes conditions."""
    from kmatgen.data.sources import open_source
    from kmatgen.run import CONFIG, Run

    if getattr(model, "condition_spec", None) is None or not (path / CONFIG).is_file():
        return None
    config = Run.open(path).config
    return open_source(config["data"], config["seed"]).example_condition(n)


def open_samples(path: Path) -> Any:
    """The model in a folder, or the images in it.

    Raises:
        InputError: It is neither a run, nor a SavedModel, nor a folder of images.
    """
    from kmatgen.run import holds_model
    from kmatgen.sampling import open_generator

    if holds_model(path):
        return open_generator(path)
    if path.suffix in (".npz", ".npy") and path.is_file():
        return _read_arrays(path)
    if not path.is_dir():
        raise InputError(
            "Samples come from the folder of a run, of a SavedModel or of images, or from an .npy or .npz file. "
            f"Received: {path}."
        )
    if (path / "samples.npz").is_file():
        return _read_arrays(path / "samples.npz")
    return _read_images(path)


def _read_arrays(path: Path) -> np.ndarray:
    try:
        with path.open("rb") as file:
            content = np.load(file, allow_pickle=False)
            if isinstance(content, np.ndarray):
                return content
            if "samples" in content:
                return content["samples"]
    except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"Samples are arrays in an .npy or .npz file: {error}. Received: {path}.") from error
    raise InputError(f"An .npz file of samples has the entry 'samples'. Received: {path} with {content.files}.")


def _read_images(folder: Path) -> np.ndarray:
    """The images of a folder as they are, which have to be of one size."""
    from kmatgen.data.inspection import find_micrographs
    from kmatgen.data.patches import micrograph_patches

    files = find_micrographs(folder, crop_data_bar=False)
    sizes = {(item.height, item.width) for item in files}
    if len(sizes) > 1 or len({side for size in sizes for side in size}) > 1:
        raise InputError(
            "A folder of samples holds square images of one size. "
            f"Received: {folder} with {', '.join(f'{h} x {w}' for h, w in sorted(sizes)[:5])}."
        )
    return np.stack(list(micrograph_patches(files, sizes.pop()[0], scale="type").as_numpy_iterator()))
