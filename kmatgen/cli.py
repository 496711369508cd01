"""The command line. TensorFlow is imported by the commands that need it, so that `--help` answers at once."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from kmatgen import __version__
from kmatgen.errors import InputError, TrainingError

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


def main(arguments: list[str] | None = None) -> None:
    """Run a command; bad input ends with one sentence and exit code 2."""
    # TensorFlow's start-up messages would bury what a command has to say.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    run_or_explain(lambda: commands.main(arguments, prog_name="kmatgen", standalone_mode=False))


def run_or_explain(program: Callable[[], Any]) -> None:
    """Run a program; bad input or a training gone wrong ends it with one sentence, no traceback, and exit code 2."""
    try:
        program()
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (InputError, TrainingError) as error:
        _fail(str(error))
    except OSError as error:
        if error.filename is None:
            raise
        _fail(f"{error.strerror}: this file or folder cannot be used. Received: {error.filename}.")
    except (KeyboardInterrupt, click.Abort):
        click.echo("\nInterrupted.", err=True)
        sys.exit(130)


def _fail(sentence: str) -> None:
    click.echo(f"Error: {sentence}", err=True)
    sys.exit(2)


@click.group(context_settings=_CONTEXT)
@click.version_option(__version__, prog_name="kmatgen")
def commands() -> None:
    """Train, judge and ship generative models of materials.

    \b
    kmatgen data micrographs/                            what is in a folder
    kmatgen train vae --data micrographs/ --size 64      train on it
    kmatgen sample runs/vae -n 64 --out samples/         draw samples
    kmatgen export runs/vae                              SavedModel for TensorFlow alone
    kmatgen study latent --data micrographs/ --seeds 3   compare models over seeds
    """


@commands.command()
@click.argument("preset", required=False)
@click.option("--data", metavar="SOURCE", help="Folder of micrographs, tfds:NAME, or polycrystal (the default).")
@click.option("--size", type=int, help="Side of the patches in pixels, a power of two from 16 up.  [64]")
@click.option("--channels", type=click.Choice(["1", "3"]), help="Convert all images to grey or to colour.")
@click.option("--epochs", type=int, help="Passes over the data.  [30]")
@click.option("--batch-size", type=int, help="Images in a batch.  [32]")
@click.option("--seed", type=int, help="Seed of weights, order, split and samples.  [0]")
@click.option("--precision", type=click.Choice(["float32", "mixed_bfloat16", "mixed_float16"]), help="[float32]")
@click.option(
    "--strategy",
    type=click.Choice(["auto", "mirrored", "multi_worker", "none"]),
    help="All GPUs of this machine, several workers (TF_CONFIG or srun), or one device.  [auto]",
)
@click.option(
    "--augment",
    multiple=True,
    type=click.Choice(["flip_x", "flip_y", "quarter_turns"]),
    help="Symmetry that the material has; may be repeated.  [none]",
)
@click.option("--metadata", type=click.Path(path_type=Path), help="Csv with pixel sizes.  [metadata.csv in the folder]")
@click.option("--keep-data-bar", is_flag=True, help="Do not crop the instrument's data bar.")
@click.option("--strict", is_flag=True, help="Fail on the first file that cannot be used instead of skipping it.")
@click.option("--set", "settings", multiple=True, metavar="PATH=VALUE", help="Any other setting; may be repeated.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run.  [runs/PRESET]")
@click.option("--resume", "resumed", type=click.Path(path_type=Path), metavar="RUN", help="Go on with this run.")
@click.option("--quiet", is_flag=True, help="No progress.")
def train(preset: str | None, resumed: Path | None, out: Path | None, quiet: bool, **options: Any) -> None:
    """Train PRESET and leave a run: checkpoints, samples, history and report.html.

    \b
    Examples:
      kmatgen train vae --data micrographs/ --size 64 --epochs 50
      kmatgen train vae --set compile.kl_weight=0.1 --out runs/strong_kl
      kmatgen train --resume runs/vae --epochs 100
    """
    from kmatgen.presets import resolve

    wanted = _settings(**options)
    if resumed is None and preset is None:
        raise InputError("Name a preset to train, such as vae, or a run with --resume. Received: neither.")
    if resumed is not None and out is not None:
        raise InputError(f"A resumed run stays in its folder; leave --out away. Received: --out {out}.")
    config = None if resumed else resolve(preset, wanted)

    from kmatgen import training

    folder = resumed or out or Path("runs") / preset
    verbose: str | int = 0 if quiet else "auto"
    try:
        if config is None:
            run = training.resume(folder, {**wanted, **({"preset": preset} if preset else {})}, verbose)
        else:
            run = training.train(config, folder, verbose)
    except KeyboardInterrupt:
        click.echo(f"\nInterrupted. Go on with: kmatgen train --resume {folder}", err=True)
        sys.exit(130)
    if not run.writes:
        return
    _report_refused(run.read_json("data.json"))
    click.echo(f"Report: {run.folder / 'report.html'}")
    click.echo(f"Next: kmatgen sample {run.folder} -n 64, or kmatgen export {run.folder}")


@commands.command()
@click.argument("model", type=click.Path(path_type=Path), metavar="RUN_OR_SAVEDMODEL")
@click.option("-n", "n", type=click.IntRange(min=1), default=16, show_default=True, help="Number of samples.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same samples.")
@click.option("--out", type=click.Path(path_type=Path), help="A new folder.  [samples/NAME_nN_seedSEED]")
def sample(model: Path, n: int, seed: int, out: Path | None) -> None:
    """Draw samples: PNG files, one grid.png and one samples.npz with the unrounded values.

    \b
    Example:
      kmatgen sample saved_models/microstructure_vae -n 64 --seed 1 --out samples/
    """
    from kmatgen.sampling import write_samples

    folder = out or Path("samples") / f"{model.resolve().name}_n{n}_seed{seed}"
    write_samples(model, n, seed, folder)
    click.echo(f"{n} samples: {folder}")


@commands.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the export.  [saved_models/NAME]")
def export(run: Path, out: Path | None) -> None:
    """Write the model of RUN as a SavedModel that TensorFlow alone can load.

    \b
    Example:
      kmatgen export runs/vae --out saved_models/my_steel
    """
    from kmatgen.run import Run
    from kmatgen.sampling import export_run

    opened = Run.open(run)
    folder = out or Path("saved_models") / opened.name
    export_run(opened, folder)
    click.echo(f"SavedModel: {folder}")
    click.echo(f"Next: kmatgen sample {folder} -n 16")


@commands.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--metadata", type=click.Path(path_type=Path), help="Csv with pixel sizes.  [metadata.csv in the folder]")
@click.option("--strict", is_flag=True, help="Fail on the first file that cannot be used.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def data(folder: Path, metadata: Path | None, strict: bool, as_json: bool) -> None:
    """Describe FOLDER: counts, sizes, bit depths, data bars, pixel sizes; what was refused and why.

    \b
    Example:
      kmatgen data micrographs/
    """
    from kmatgen.data.micrographs import find_micrographs

    description = find_micrographs(folder, metadata=metadata, strict=strict, progress=not as_json).describe()
    if as_json:
        click.echo(json.dumps(description, indent=2))
        return
    for name, value in description.items():
        if name != "refused":
            click.echo(f"{name.replace('_', ' '):<18} {_one_line(value)}")
    _report_refused(description)


@commands.command()
def presets() -> None:
    """List the presets that can be trained.

    \b
    Example:
      kmatgen presets
    """
    from kmatgen.presets import PRESETS

    for name, (description, _) in PRESETS.items():
        click.echo(f"{name:<14} {description}")


@commands.command()
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


def _settings(
    data: str | None,
    size: int | None,
    channels: str | None,
    epochs: int | None,
    batch_size: int | None,
    seed: int | None,
    precision: str | None,
    strategy: str | None,
    augment: tuple[str, ...],
    metadata: Path | None,
    keep_data_bar: bool,
    strict: bool,
    settings: tuple[str, ...],
) -> dict[str, Any]:
    """The options that were given, as settings by dotted path."""
    from kmatgen.presets import parse_setting

    given = {
        "data.source": data,
        "data.size": size,
        "data.channels": int(channels) if channels else None,
        "fit.epochs": epochs,
        "fit.batch_size": batch_size,
        "seed": seed,
        "precision": precision,
        "strategy": strategy,
        "data.micrographs.augment": list(augment) or None,
        "data.micrographs.metadata": str(metadata) if metadata else None,
        "data.micrographs.crop_data_bar": False if keep_data_bar else None,
        "data.micrographs.strict": True if strict else None,
    }
    chosen = {path: value for path, value in given.items() if value is not None}
    return chosen | dict(parse_setting(text) for text in settings)


def _one_line(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {count}" for name, count in value.items()) or "none"
    return "none" if value is None else str(value)


def _report_refused(description: dict[str, Any]) -> None:
    refused = description.get("refused") or []
    if refused:
        click.echo(f"{len(refused)} files were skipped:", err=True)
    for entry in refused:
        click.echo(f"  {entry['file']}: {entry['reason']}", err=True)
