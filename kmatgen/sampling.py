"""Samples and exports of finished runs, as files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from kmatgen.crystals.drawn import in_symmetry, write_drawn
from kmatgen.errors import InputError
from kmatgen.export import ServedModel, read_manifest
from kmatgen.plotting import image_grid, to_picture
from kmatgen.representations.base import are_crystals
from kmatgen.run import CONFIG, Run


def open_generator(path: str | Path, which: str = "last") -> Any:
    """The model of a run or an export: whatever has `generate(n, seed=...)`.

    Args:
        path: Folder of the run or of the SavedModel.
        which: Of a run, the `"last"` checkpoint, or the one with the `"best"` samples.

    Raises:
        InputError: The folder is neither.
    """
    path = Path(path)
    if (path / CONFIG).is_file():
        return Run.open(path).load_model(which)
    if (path / "saved_model.pb").is_file():
        return ServedModel(path)
    raise InputError(f"Samples come from the folder of a run or of a SavedModel. Received: {path}.")


def write_samples(
    model: str | Path,
    n: int,
    seed: int,
    folder: str | Path,
    condition: Any = None,
    which: str = "last",
    steps: int | None = None,
    symprec: float = 0.1,
) -> None:
    """Draw samples into a folder: `samples.npz`, and for images and volumes `sample_0000.png`, ... and `grid.png`.

    Crystals are written as `cif/crystal_0000.cif`, ... and `crystals.csv`, in the symmetry that they nearly have and
    those that make no cell left out; the archive has them as they were made.

    The archive holds `samples`, or for samples with fields one array for each, and the `seed`.

    Args:
        model: Folder of a run or of a SavedModel.
        n: Number of samples.
        seed: The same seed gives the same samples.
        folder: A new or an empty folder.
        condition: What is asked for, as in `generate`: one for each sample, or one for all. Classes that have names in
            the data may be named.
        which: Of a run, the `"last"` checkpoint, or the one with the `"best"` samples.
        steps: Steps of a diffusion model. `None`: as many as the model was made with.
        symprec: How far atoms of crystals may stand from where a symmetry puts them, Angstrom.

    Raises:
        InputError: The folder holds something already, or the model cannot be sampled.
    """
    folder = Path(folder)
    check_new_folder(folder)
    generator = open_generator(model, which)
    if steps is not None and generator.steps is None:
        raise InputError(f"Only a diffusion model is sampled in steps. Received: steps={steps}.")
    more = {} if steps is None else {"steps": steps}
    samples = generator.generate(n, class_ids(model, condition), seed=seed, **more)
    if are_crystals(samples):
        write_drawn(in_symmetry(samples, symprec), seed, folder)
        return
    folder.mkdir(parents=True, exist_ok=True)
    arrays = samples if isinstance(samples, dict) else {"samples": samples}
    np.savez_compressed(folder / "samples.npz", **arrays, seed=seed)
    if isinstance(samples, dict) or samples.ndim not in (4, 5):
        return
    width = max(4, len(str(n - 1)))
    for index, image in enumerate(samples):
        to_picture(image).save(folder / f"sample_{index:0{width}d}.png")
    image_grid(samples[:256], folder / "grid.png")


def check_new_folder(folder: str | Path) -> None:
    """Refuse a folder in which something could be overwritten or mixed up with samples.

    Raises:
        InputError: It holds something already.
    """
    folder = Path(folder)
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise InputError(f"Samples go into a new or an empty folder. Received: {folder}, which holds files already.")


def beyond_data(model: str | Path, condition: Any) -> str | None:
    """A sentence for whoever asks for phase fractions that are far from those of held-out images; else None.

    Args:
        model: Folder of a run or of a SavedModel.
        condition: What was asked for.
    """
    data = _data_of(model)
    if condition is None or "phase_fractions" not in data:
        return None
    least, most = map(np.asarray, data["phase_fractions"])
    asked = np.asarray(condition)
    # Training images, of which there are more, reach a little farther.
    margin = (most - least) / 4
    if np.all((asked >= least - margin) & (asked <= most + margin)):
        return None
    ranges = ", ".join(f"{low:.3g} to {high:.3g}" for low, high in zip(least, most, strict=True))
    return f"Held-out images have phase fractions from {ranges}; what lies beyond is a guess. Asked: {condition}."


def class_ids(model: str | Path, condition: Any) -> Any:
    """A condition in which classes are named, such as `"pearlite"` or a list of such, by their ids; others as they are.

    Args:
        model: Folder of a run or of a SavedModel.
        condition: What was asked for.

    Raises:
        InputError: The data of the model have no class of this name.
    """
    if isinstance(condition, list):
        return [class_ids(model, each) for each in condition]
    if not isinstance(condition, str):
        return condition
    names = _data_of(model).get("class_names", [])
    if condition not in names:
        known = f"one of {', '.join(names)}" if names else "written as JSON, such as 3, 0.25 or [0.2, 0.3]"
        raise InputError(f"What this model is asked for is {known}. Received: {condition!r}.")
    return names.index(condition)


def _data_of(model: str | Path) -> dict[str, Any]:
    """What a run or an export says of its data."""
    is_run = (Path(model) / CONFIG).is_file()
    return Run.open(model).read_json("data.json") if is_run else read_manifest(model).get("data", {})


def export_run(run: Run, folder: str | Path, which: str = "last") -> None:
    """Export the `"last"` or the `"best"` model of a run, with what is known of its making in the manifest."""
    data, config = run.read_json("data.json"), run.config
    run.load_model(which).export(
        folder,
        manifest={
            "preset": config["preset"],
            "run": run.name,
            "checkpoint": which if run.best_file is not None else "last",
            "data": {name: value for name, value in data.items() if name != "refused"},
            "pixel_size_um": data.get("pixel_size_um"),
            "units": units_of(data),
            "metrics": run.read_json("metrics.json"),
            "config": config,
            "command": command_line(),
        },
    )


def units_of(data: dict[str, Any]) -> str:
    """What the numbers of samples mean, by what a run trained on."""
    if "representation" in data:
        return "lattice in Angstrom and degrees, species as atomic numbers, coordinates as fractions of the cell"
    return "grey or colour values in [0, 1]"


def command_line() -> str:
    """The command of this process, without where on this machine its program lies."""
    program = Path(sys.argv[0])
    name = "kmatgen" if program.stem == "kmatgen" else f"python {Path(program.parent.name) / program.name}"
    return " ".join([name, *sys.argv[1:]])
