"""`kmatgen evaluate` and `kmatgen compare`: are the samples as real ones are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from kmatgen.cli.serve import asked_for
from kmatgen.cli.startup import import_tensorflow
from kmatgen.errors import InputError


def _options(function: Callable) -> Callable:
    """What both commands take."""
    for option in reversed(
        (
            click.option("--data", type=click.Path(path_type=Path), help="Folder of micrographs.  [the run's]"),
            click.option("--metric", "metrics", multiple=True, help="A metric; may be repeated.  [a dozen]"),
            click.option("-n", "n", type=click.IntRange(min=2), default=256, show_default=True, help="Samples."),
            click.option("--seed", type=int, default=0, show_default=True, help="Seed of samples, splits, intervals."),
            asked_for,
            click.option("--segment", default="otsu", show_default=True, help="otsu, threshold or colours."),
            click.option("--features", default="pca_s2", show_default=True, help="pca_s2 or raw."),
            click.option("--pixel-size", type=float, help="Micrometres a pixel.  [that of the data]"),
        )
    ):  # fmt: skip
        function = option(function)
    return function


@click.command()
@click.argument("model", type=click.Path(path_type=Path), metavar="RUN_OR_SAVEDMODEL_OR_FOLDER")
@_options
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the table and the page.  [RUN/evaluation]")
def evaluate(model: Path, data: Path | None, out: Path | None, **options: Any) -> None:
    """Compare samples with real ones: structure, distributions, novelty; each value beside its floor.

    MODEL is the folder of a run, which knows its own held-out data, of a SavedModel, or of square images of one size.
    Prints a table; with a run or with --out, writes it as evaluation.json and as a page with pictures, too.

    \b
    Examples:
      kmatgen evaluate runs/vae
      kmatgen evaluate saved_models/my_steel --data micrographs/ --out judged/
      kmatgen evaluate saved_models/wgan_gp_fraction --data micrographs/ --condition 0.3
      kmatgen evaluate samples/ --data micrographs/ --metric two_point --metric kid
    """
    from kmatgen.run import CONFIG

    is_run = (model / CONFIG).is_file()
    if data is None and not is_run:
        raise InputError(f"Name real data with --data; only a run knows its own. Received: {model}, which is no run.")
    folder = out or (model / "evaluation" if is_run else None)

    import_tensorflow()
    from kmatgen.evaluation.compare import compare_models

    tables, page = compare_models({model.resolve().name: model}, data or model, folder, **_chosen(options))
    click.echo(str(next(iter(tables.values()))))
    if page is not None:
        click.echo(f"Page: {page}")


@click.command()
@click.argument("models", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="RUN_OR_SAVEDMODEL...")
@_options
@click.option("--out", type=click.Path(path_type=Path), default=Path("comparison"), show_default=True, help="Folder.")
def compare(models: tuple[Path, ...], data: Path | None, out: Path, **options: Any) -> None:
    """Compare several models on the same real data, in one table and one page.

    Without --data, that is the held-out data of the first run.

    \b
    Example:
      kmatgen compare runs/vae runs/wgan_gp_64 --out comparison/
    """
    from kmatgen.run import CONFIG

    runs = [model for model in models if (model / CONFIG).is_file()]
    if data is None and not runs:
        raise InputError(
            f"Name real data with --data; only a run knows its own. Received: {', '.join(map(str, models))}."
        )
    names = [model.resolve().name for model in models]
    if len(set(names)) < len(names):
        names = [str(model) for model in models]

    import_tensorflow()
    from kmatgen.evaluation.compare import compare_models, comparison_text

    tables, page = compare_models(dict(zip(names, models, strict=True)), data or runs[0], out, **_chosen(options))
    click.echo(comparison_text(tables))
    click.echo(f"Page: {page}")


def _chosen(options: dict[str, Any]) -> dict[str, Any]:
    """The options as `compare_models` takes them; without metrics its own."""
    metrics = options.pop("metrics")
    return {**options, **({"metrics": list(metrics)} if metrics else {})}
