"""`kmatgen study`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from kmatgen.cli.startup import import_tensorflow
from kmatgen.errors import InputError


@click.command()
@click.argument("name", metavar="STUDY_OR_PRESET")
@click.option("--data", metavar="SOURCE", help="Folder of micrographs, tfds:NAME, or polycrystal (the default).")
@click.option("--size", type=int, help="Side of the patches in pixels, a power of two from 16 up.  [64]")
@click.option("--epochs", type=int, help="Passes over the data.  [30]")
@click.option("--seeds", type=click.IntRange(min=1), default=3, show_default=True, help="Seeds of each combination.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Members trained at a time.")
@click.option("--storage", metavar="URL", help="PostgreSQL or MySQL database that several machines share.  [SQLite]")
@click.option("--retry-failed", is_flag=True, help="Train failed members again.")
@click.option(
    "--factor",
    "factors",
    multiple=True,
    metavar="PATH=V1,V2",
    help="A setting to vary; may be repeated. PATH+PATH=... sets several to the same value.",
)
@click.option("--set", "settings", multiple=True, metavar="PATH=VALUE", help="A setting of all members.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the study.  [runs/NAME, factors in it]")
def study(
    name: str,
    data: str | None,
    size: int | None,
    epochs: int | None,
    factors: tuple[str, ...],
    settings: tuple[str, ...],
    out: Path | None,
    storage: str | None,
    **options: Any,
) -> None:
    """Train a grid of models over factors and seeds, and compare them in one report.

    The named studies are latent and layers; with --factor, any preset can be studied. Started again, a study
    goes on: finished members stay, more seeds or values are added. The exit code is 1 if a member failed.

    \b
    Examples:
      kmatgen study latent --data micrographs/ --seeds 3 --jobs 2
      kmatgen study vae --factor compile.kl_weight=0.001,0.01,0.1
      kmatgen study latent --storage postgresql://user:password@host/database    (on each machine)
    """
    from kmatgen.presets import STUDIES, parse_setting
    from kmatgen.study.grid import parse_factors

    varied = parse_factors(factors)
    folder = out or Path("runs") / "_".join([name, *varied])
    preset = name
    if name in STUDIES:
        _, preset, own = STUDIES[name]
        varied = {**own, **varied}
    elif not varied:
        raise InputError(f"Name a study ({', '.join(STUDIES)}), or what to vary with --factor. Received: {name!r}.")
    given = {"data.source": data, "data.size": size, "fit.epochs": epochs}
    chosen = {path: value for path, value in given.items() if value is not None}
    chosen |= dict(parse_setting(text) for text in settings)

    import_tensorflow()
    from kmatgen.study import failures, run_study

    try:
        report = run_study(preset, varied, folder, settings=chosen, storage=storage, **options)
    except KeyboardInterrupt:
        click.echo("\nInterrupted. Give the same command again to go on.", err=True)
        sys.exit(130)
    failed = failures(folder, storage)
    click.echo(f"Report: {report}")
    click.echo(f"One row for each member: {report.with_name('study.csv')}")
    if failed:
        click.echo(f"Failed members: {len(failed)}; their tracebacks are in the report:", err=True)
        for member, error in failed.items():
            click.echo(f"  {member}: {error.strip().rpartition(chr(10))[2]}", err=True)
        sys.exit(1)
