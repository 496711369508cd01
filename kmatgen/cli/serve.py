"""`kmatgen sample` and `kmatgen export`: what a trained model is for."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kmatgen.cli.crystals import asked_of_crystals, of_crystals
from kmatgen.cli.startup import import_tensorflow
from kmatgen.errors import InputError

if TYPE_CHECKING:
    from kmatgen.run import Run

_which = click.option(
    "--which",
    type=click.Choice(["last", "best"]),
    default="last",
    show_default=True,
    help="Of a run: the last checkpoint, or the one whose samples were judged best.",
)


def _from_json(context: click.Context, option: click.Parameter, text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except json.JSONDecodeError as error:
        if text[:1].isalpha():
            return text  # the name of a class
        raise InputError(
            f"--condition is written as JSON, such as 3, 0.25 or [0.2, 0.3]. Received: {text!r}."
        ) from error


asked_for = click.option(
    "--condition",
    metavar="JSON",
    callback=_from_json,
    help="What to ask for: a class or its name, a fraction, or a list with one a sample.",
)


@click.command()
@click.argument("model", type=click.Path(path_type=Path), metavar="RUN_OR_SAVEDMODEL")
@click.option("-n", "n", type=click.IntRange(min=1), default=16, show_default=True, help="Number of samples.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same samples.")
@asked_for
@click.option("--steps", type=click.IntRange(min=1), help="Steps of a diffusion model.  [the model's]")
@_which
@click.option("--out", type=click.Path(path_type=Path), help="A new folder.  [samples/NAME_nN_seedSEED]")
@click.option(
    "--symprec", type=float, default=0.1, show_default=True, help="Crystals: tolerance of symmetries, Angstrom."
)
@of_crystals
def sample(
    model: Path,
    n: int,
    seed: int,
    condition: Any,
    steps: int | None,
    which: str,
    out: Path | None,
    symprec: float,
    **wishes: Any,
) -> None:
    """Draw samples: PNG files, one grid.png and one samples.npz with the unrounded values.

    Crystals are written as CIF files and crystals.csv, in the symmetry that they nearly have. A RUN of crystals can be
    asked by name for what it learned, and a diffusion be given a crystal.

    \b
    Examples:
      kmatgen sample saved_models/microstructure_vae -n 64 --seed 1 --out samples/
      kmatgen sample runs/wgan_gp_phases --condition 0.3
      kmatgen sample runs/acgan_32 -n 3 --condition "[0, 1, 2]"
      kmatgen sample runs/steels --condition pearlite
      kmatgen sample runs/diffusion_64 --steps 20
      kmatgen sample runs/crystals --ask space_group=Pm-3m --ask composition=BaTiO3
      kmatgen sample runs/crystals --near mine.cif --strength 0.3
      kmatgen sample runs/crystals --fixed mine.cif --hold lattice --hold coords=0,3
    """
    import_tensorflow()
    from kmatgen.sampling import beyond_data, write_samples

    folder = out or Path("samples") / f"{model.resolve().name}_n{n}_seed{seed}"
    asked = asked_of_crystals(wishes)
    if asked:
        from kmatgen.crystals.asking import write_asked

        if condition is not None:
            raise InputError(f"What crystals are to be is said with --ask. Received: --condition {condition!r}, too.")
        write_asked(model, n, seed, folder, which=which, symprec=symprec, steps=steps, **asked)
        click.echo(f"{n} samples: {folder}")
        return
    write_samples(model, n, seed, folder, condition, which, steps, symprec)
    warning = beyond_data(model, condition)
    if warning:
        click.echo(f"Warning: {warning}", err=True)
    click.echo(f"{n} samples: {folder}")


def asking_for(run: Run) -> str:
    """The option with which samples of a run are asked for something, for an example; empty where they need not be."""
    first = run.read_json("data.json").get("class_names", [""])[0]
    # A name that is a number would be read as one.
    example = shlex.quote(first) if first[:1].isalpha() else "0"
    examples = {"class": f" --condition {example}", "phase_fraction": " --condition 0.3"}
    return examples.get(run.config["data"]["condition"], "")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@_which
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the export.  [saved_models/NAME]")
def export(run: Path, which: str, out: Path | None) -> None:
    """Write the model of RUN as a SavedModel that TensorFlow alone can load.

    \b
    Example:
      kmatgen export runs/vae --out saved_models/my_steel
    """
    import_tensorflow()
    from kmatgen.run import Run
    from kmatgen.sampling import export_run

    opened = Run.open(run)
    folder = out or Path("saved_models") / opened.name
    export_run(opened, folder, which)
    click.echo(f"SavedModel: {folder}")
    click.echo(f"Next: kmatgen sample {folder} -n 16{asking_for(opened)}")
