"""`kmatgen train`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from kmatgen.cli.describe import report_refused
from kmatgen.cli.serve import asking_for
from kmatgen.cli.startup import import_tensorflow, verbosity
from kmatgen.errors import InputError


@click.command()
@click.argument("preset", required=False)
@click.option(
    "--data",
    metavar="SOURCE",
    help="Folder of micrographs, polycrystal, phases, digits, digits:FOLDER or tfds:NAME.  [the preset's]",
)
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
      kmatgen train wgan_gp_fraction --data micrographs/
      kmatgen train --resume runs/vae --epochs 100
    """
    from kmatgen.presets import resolve

    wanted = _settings(**options)
    if resumed is None and preset is None:
        raise InputError("Name a preset to train, such as vae, or a run with --resume. Received: neither.")
    if resumed is not None and out is not None:
        raise InputError(f"A resumed run stays in its folder; leave --out away. Received: --out {out}.")
    config = None if resumed else resolve(preset, wanted)

    import_tensorflow()
    from kmatgen import training
    from kmatgen.run import CONFIG

    folder = resumed or out or Path("runs") / preset
    verbose = 0 if quiet else verbosity()
    try:
        if config is None:
            run = training.resume(folder, {**wanted, **({"preset": preset} if preset else {})}, verbose)
        else:
            run = training.train(config, folder, verbose)
    except KeyboardInterrupt:
        begun = (folder / CONFIG).is_file()
        way_on = f"Go on with: kmatgen train --resume {folder}" if begun else "Training had not begun."
        click.echo(f"\nInterrupted. {way_on}", err=True)
        sys.exit(130)
    if not run.writes:
        return
    report_refused(run.read_json("data.json"))
    click.echo(f"Report: {run.folder / 'report.html'}")
    asking = asking_for(run)
    click.echo(f"Next: kmatgen sample {run.folder} -n 64{asking}, or kmatgen export {run.folder}")


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
        "data.crystals.strict": True if strict else None,
    }
    chosen = {path: value for path, value in given.items() if value is not None}
    return chosen | dict(parse_setting(text) for text in settings)
