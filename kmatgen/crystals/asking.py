"""Crystals of a finished run for what a user asks of it: conditions by name, or a crystal to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kmatgen.crystals.drawn import write_drawn
from kmatgen.crystals.generation import generate_crystals
from kmatgen.data.crystal_source import CrystalSource
from kmatgen.data.sources import open_source
from kmatgen.errors import InputError
from kmatgen.models.denoising import DenoisingSampler
from kmatgen.run import CONFIG, Run
from kmatgen.sampling import check_new_folder

# How much a diffusion that learned to do without its conditions heeds them, unless told otherwise.
GUIDANCE = 2.0


def write_asked(
    path: str | Path,
    n: int,
    seed: int,
    folder: str | Path,
    request: dict[str, Any] | None = None,
    which: str = "last",
    symprec: float = 0.1,
    **options: Any,
) -> None:
    """Draw crystals into a folder: `samples.npz`, `cif/crystal_0000.cif`, ..., `crystals.csv` and `grid.png`.

    Args:
        path: Folder of a run that was trained on crystals. Its data are read again.
        n: Number of crystals.
        seed: The same seed gives the same crystals.
        folder: A new or an empty folder.
        request: What is asked for by name, such as `{"composition": "BaTiO3", "space_group": "Pm-3m"}`.
        which: The `"last"` checkpoint, or the one with the `"best"` samples.
        symprec: How far atoms may stand from where a symmetry puts them, Angstrom.
        **options: Of `generate_crystals`: `fixed`, `hold`, `near`, `strength`, `steps`, `guidance`. A diffusion that
            was trained to be guided is guided by 2 where a request comes without `guidance`.

    Raises:
        InputError: No run of crystals, a folder that holds something, or a wish that the model cannot be asked for.
    """
    check_new_folder(folder)
    if not (Path(path) / CONFIG).is_file():
        raise InputError(f"Crystals are asked for by name of a run, which knows its data. Received: {path}, no run.")
    run = Run.open(path)
    crystals = crystals_of(run)
    model = run.load_model(which)
    if request and isinstance(model, DenoisingSampler) and run.config["compile"].get("condition_dropout"):
        options.setdefault("guidance", GUIDANCE)
    made = generate_crystals(model, crystals, n, seed, request, symprec, **options)
    write_drawn(made, seed, folder)


def crystals_of(run: Run) -> CrystalSource:
    """The crystals that a run was trained on, read again.

    Raises:
        InputError: They are gone, or no crystals.
    """
    crystals = open_source(run.config["data"], run.config["seed"]).crystals
    if crystals is None:
        raise InputError(
            "Only of crystals something is asked for by name, or one is given. "
            f"Received: {run.folder}, trained on {run.config['data']['source']}."
        )
    return crystals
