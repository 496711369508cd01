"""Crystals judged: the scores of the literature, each beside the same of real crystals and of a strong baseline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kmatgen.errors import InputError
from kmatgen.evaluation.metric import DEFAULT, Metric
from kmatgen.evaluation.table import Evaluation, Score
from kmatgen.metrics.crystal_scores import score_rows
from kmatgen.representations.base import are_crystals
from kmatgen.representations.crystal_table import CrystalTable

TITLES = {
    "structurally_valid": "share with a sensible cell and no atoms that touch",
    "compositionally_valid": "share with balanced charges",
    "valid": "share that is both",
    "bond_lengths_valid": "share with bonds of usual lengths",
    "cov_recall": "share of real crystals with a generated one near (COV-R)",
    "cov_precision": "share of generated crystals with a real one near (COV-P)",
    "density_distance": "W1 distance of densities",
    "element_number_distance": "W1 distance of numbers of elements",
    "element_distance": "total variation of elements",
    "space_group_distance": "total variation of space groups",
    "lattice_error": "mean error of lattice parameters by key",
    "lattice_error_matched": "share of crystals that it is measured on",
    "overlap_reference": "share of real keys that are generated",
    "overlap_training": "share of training keys that are generated",
    "memorisation": "overlap with training keys beyond that with unseen ones",
    "unique": "share that is valid and unlike all others",
    "novel": "share that is valid and not in the training data",
}
_UNITS = {"density_distance": "g/cm3", "lattice_error": "A"}
# Drawn again from the training data, crystals have no floor of these: they are what is to be avoided.
_AGAINST_TRAINING = {"overlap_training", "memorisation", "novel"}
_LOWER = ("distance", "error", "overlap_training", "memorisation")
# Such as an error of lattices, which is measured on crystals that have elements and roles in common with real ones.
_NOTHING_TO_COMPARE = (
    "No generated crystal can be compared with a real one by it; generate more. Received: 0 such pairs."
)


class RealCrystals(NamedTuple):
    """Real crystals in two parts.

    Attributes:
        training: What a model was trained on.
        held_out: What it has not seen.
    """

    training: CrystalTable
    held_out: CrystalTable


def open_real_crystals(data: Any, seed: int) -> RealCrystals | None:
    """Real crystals, where data are such: a run, a source, a file or folder of crystals, or a pair of tables.

    Returns:
        None for data of another kind.
    """
    from kmatgen.data.crystal_entries import holds_crystals
    from kmatgen.data.opened import Source
    from kmatgen.data.sources import open_source
    from kmatgen.presets import DEFAULTS
    from kmatgen.run import CONFIG, Run

    if isinstance(data, tuple) and len(data) == 2 and all(isinstance(part, CrystalTable) for part in data):
        return RealCrystals(*data)
    if isinstance(data, Run) or (isinstance(data, (str, Path)) and (Path(data) / CONFIG).is_file()):
        run = data if isinstance(data, Run) else Run.open(data)
        if holds_crystals(run.config["data"]["source"]):
            data = open_source(run.config["data"], run.config["seed"])
    elif isinstance(data, (str, Path)) and holds_crystals(str(data)):
        data = open_source({**DEFAULTS["data"], "source": str(data)}, seed)
    if isinstance(data, Source) and data.crystals is not None:
        return RealCrystals(data.crystals.train, data.crystals.test)
    return None


def draw_crystals(model: Any, n: int, seed: int, condition: Any = None) -> CrystalTable:
    """Crystals of a model, of the folder of a run, of a SavedModel or of samples, or as they are given.

    Raises:
        InputError: What is generated are no crystals, or samples that are there already are asked for something.
    """
    from kmatgen.data.crystal_entries import holds_crystals
    from kmatgen.data.crystals import read_crystals
    from kmatgen.evaluation.generated import check_can_be_asked, open_samples
    from kmatgen.run import holds_model

    if isinstance(model, (str, Path)):
        path = Path(model)
        is_read = not holds_model(path) and holds_crystals(str(path)) and path.suffix != ".npz"
        model = read_crystals(path).table if is_read else open_samples(path)
    check_can_be_asked(model, condition)
    if isinstance(model, CrystalTable):
        return model[:n]
    asked = {} if condition is None else {"condition": condition}
    samples = model.generate(n, seed=seed, **asked) if hasattr(model, "generate") else model
    if not are_crystals(samples):
        raise InputError(f"Crystals are judged by crystals. Received: samples of {type(samples).__name__}.")
    return CrystalTable.from_fields(samples)


def score_names(metrics: str | Metric | Sequence[str | Metric]) -> list[str | Metric] | None:
    """What `kmatgen.evaluate` was asked for, as names of scores; None, which is all, for its default."""
    if metrics is DEFAULT:
        return None
    return [metrics] if isinstance(metrics, str) else list(metrics)


def evaluate_crystals(
    generated: CrystalTable, real: RealCrystals, names: Sequence[str] | None = None, seed: int = 0, **options: Any
) -> Evaluation:
    """The table of generated crystals.

    The floor of a distance, and the ceiling of a share, are the same scores of training crystals drawn again; the
    baseline has the same crystals with their species shuffled. There are no intervals.

    Args:
        generated: Generated crystals.
        real: Real ones.
        names: Which scores. `None`: all.
        seed: Of draws.
        **options: Of `kmatgen.metrics.crystal_scores.score_crystals`.

    Raises:
        InputError: There is no score of such a name, or there are no crystals.
    """
    unknown = [name for name in names or () if name not in TITLES]
    if unknown:
        raise InputError(f"A score of crystals is one of {', '.join(TITLES)}. Received: {unknown[0]!r}.")
    rows = score_rows(generated, real.held_out, real.training, seed=seed, **options)
    own, floor, shuffled = (rows[name] for name in ("generated", "real", "species shuffled"))
    scores = []
    for name, value in own.items():
        if names is not None and name not in names:
            continue
        baselines = {"species shuffled": shuffled[name]} if name in shuffled else {}
        against_training = name in _AGAINST_TRAINING
        if against_training:
            baselines["training crystals"] = floor[name]
        least = np.nan if against_training else floor.get(name, np.nan)
        scores.append(
            Score(
                name=name,
                title=TITLES.get(name, name.replace("_", " ")),
                value=_number(value),
                floor=_number(least),
                baselines={row: each for row, each in baselines.items() if np.isfinite(each)},
                unit=_UNITS.get(name, ""),
                better="lower" if name.endswith(_LOWER) else "higher",
                reason=None if np.isfinite(value) else _NOTHING_TO_COMPARE,
            )
        )
    about = {
        "generated": len(generated), "held_out": len(real.held_out), "training": len(real.training), "seed": seed,
    }  # fmt: skip
    return Evaluation(tuple(scores), about)


def _number(value: float) -> float | None:
    """None for what is no number."""
    return float(value) if np.isfinite(value) else None
