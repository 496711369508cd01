"""Several models judged by the same real samples, as tables and as a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kmatgen.errors import InputError
from kmatgen.evaluation import open_judge
from kmatgen.evaluation.crystals import (
    RealCrystals,
    draw_crystals,
    evaluate_crystals,
    open_real_crystals,
    score_names,
)
from kmatgen.evaluation.generated import draw_samples
from kmatgen.evaluation.inputs import check_same_shape
from kmatgen.evaluation.metric import DEFAULT, Metric, get_metrics
from kmatgen.evaluation.page import write_crystal_page, write_page
from kmatgen.evaluation.table import Evaluation, align, number


def compare_models(
    models: Mapping[str, Any],
    data: Any,
    folder: str | Path | None,
    metrics: str | Metric | Sequence[str | Metric] = DEFAULT,
    n: int = 256,
    seed: int = 0,
    condition: Any = None,
    **options: Any,
) -> tuple[dict[str, Evaluation], Path | None]:
    """Judge models one after the other.

    Args:
        models: What `kmatgen.evaluate` takes as a model, by the name that it has in tables.
        data: What `kmatgen.evaluate` takes as data.
        folder: Where `evaluation.json` and `evaluation.html` go, and descriptions of the real samples are kept. `None`:
            nothing is written.
        metrics: As in `kmatgen.evaluate`.
        n: As in `kmatgen.evaluate`.
        seed: As in `kmatgen.evaluate`.
        condition: What all models are asked for, as in `kmatgen.evaluate`.
        **options: `segment`, `features` and `pixel_size`, as in `kmatgen.evaluate`.

    Returns:
        The tables by name, and the page.

    Raises:
        InputError: Samples or data cannot be used, or the folder holds other files.
    """
    if folder is not None:
        folder = _checked(Path(folder))
    real = open_real_crystals(data, seed)
    if real is not None:
        return _compare_crystals(models, real, folder, metrics, n, seed, condition)
    chosen = get_metrics(metrics)
    samples = {name: draw_samples(model, n, seed, condition) for name, model in models.items()}
    first_name, first = next(iter(samples.items()))
    for name, values in samples.items():
        check_same_shape(first_name, first, name, values)
    cache = None if folder is None else folder / "cache"
    judge = open_judge(data, n, seed, like=first, cache=cache, **options)
    tables = {name: judge.evaluate(values, chosen) for name, values in samples.items()}
    if folder is None:
        return tables, None
    _write_tables(tables, folder)
    return tables, write_page(judge, samples, tables, folder, " against ".join(tables))


def _compare_crystals(
    models: Mapping[str, Any],
    real: RealCrystals,
    folder: Path | None,
    metrics: str | Metric | Sequence[str | Metric],
    n: int,
    seed: int,
    condition: Any,
) -> tuple[dict[str, Evaluation], Path | None]:
    names = score_names(metrics)
    crystals = {name: draw_crystals(model, n, seed, condition) for name, model in models.items()}
    cache = None if folder is None else folder / "cache"
    tables = {name: evaluate_crystals(table, real, names, seed, cache=cache) for name, table in crystals.items()}
    if folder is None:
        return tables, None
    _write_tables(tables, folder)
    return tables, write_crystal_page(real, crystals, tables, folder, " against ".join(tables))


def _write_tables(tables: Mapping[str, Evaluation], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    content = {name: table.to_dict() for name, table in tables.items()}
    (folder / "evaluation.json").write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")


def comparison_text(tables: Mapping[str, Evaluation]) -> str:
    """One table of all models as text: values, and how they stand to the floor."""
    first = next(iter(tables.values()))
    rows = [["metric", "floor", *(cell for name in tables for cell in (name, "")), "unit"]]
    for score in first:
        scores = [table[score.name] for table in tables.values()]
        floor = next((one.floor for one in scores if one.floor is not None), None)
        cells = [cell for one in scores for cell in (number(one.value), one.verdict)]
        rows.append([score.name, number(floor), *cells, score.unit])
    about = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in first.about.items() if value is not None)
    notes = dict.fromkeys(note for table in tables.values() for note in table.notes)
    return "\n".join([*align(rows), "", about, *notes])


def _checked(folder: Path) -> Path:
    """The folder, if it is new, empty or holds an earlier evaluation."""
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / "evaluation.json").is_file()):
        raise InputError(
            f"An evaluation goes into a new or an empty folder, or takes the place of an earlier one. "
            f"Received: {folder}, which holds other files."
        )
    return folder
