"""Train a generator of crystals and judge what it makes, as the literature does.

With no data of your own it learns the structure prototypes that pymatgen ships:

    python apps/crystal_generation.py
    python apps/crystal_generation.py --data perov_5/train.csv -n 4000 --published perov_5
    python apps/crystal_generation.py --data cifs/ --conditions band_gap composition --ask band_gap=1.5
    python apps/crystal_generation.py --data cifs/ --family vae --properties band_gap --ask band_gap=1.5
    python apps/crystal_generation.py --data cifs/ --near mine.cif --strength 0.3
    python apps/crystal_generation.py --data cifs/ --fixed mine.cif --hold lattice coords=0,3
    python apps/crystal_generation.py --representation crystens --family wgan_gp --set fit.minutes=60 \\
        --set networks.generator.config.width=0.25 --set networks.discriminator.config.width=0.25

The run goes to runs/crystals: CIF files, a csv table and crystals.html in generated/; the SavedModel to
saved_models/crystals.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from kmatgen import presets
from kmatgen.cli import run_or_explain
from kmatgen.cli.crystals import given_crystals, requested
from kmatgen.cli.startup import import_tensorflow, verbosity
from kmatgen.errors import InputError

# Presets of each representation start with this.
REPRESENTATIONS = {"point_cloud": "crystal_", "crystens": "crystens_"}
FAMILIES = {
    representation: [name.removeprefix(prefix) for name in presets.PRESETS if name.startswith(prefix)]
    for representation, prefix in REPRESENTATIONS.items()
}
_KNOWN = "; ".join(f"{', '.join(families)} of {name}" for name, families in FAMILIES.items())


def _options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="prototypes", help="folder of CIF, POSCAR or JSON files, or a csv table")
    parser.add_argument("--family", default="diffusion", help=f"kind of model (default: diffusion): {_KNOWN}")
    parser.add_argument("--representation", choices=FAMILIES, default="point_cloud",
                        help="what a crystal is for the model (default: point_cloud)")  # fmt: skip
    parser.add_argument("-n", type=int, default=1000, help="crystals to generate (default: 1000)")
    parser.add_argument("--epochs", type=int, help="epochs, of several passes each (default: the preset's)")
    parser.add_argument("--conditions", nargs="*", default=[], metavar="NAME",
                        help="space_group, composition, chemical_system or property columns to learn")  # fmt: skip
    parser.add_argument("--properties", nargs="*", default=[], metavar="NAME",
                        help="columns that a vae predicts, so that crystals can be asked for them")  # fmt: skip
    parser.add_argument("--ask", nargs="*", default=[], metavar="NAME=VALUE", help="what to generate crystals for")
    parser.add_argument("--guidance", type=float, default=2.0, help="how much a diffusion heeds --ask (default: 2)")
    parser.add_argument("--near", type=Path, metavar="FILE", help="crystal that those of a diffusion are to resemble")
    parser.add_argument("--strength", type=float, default=0.3,
                        help="how far they go from --near, above 0 up to 1 (default: 0.3)")  # fmt: skip
    parser.add_argument("--fixed", type=Path, metavar="FILE", help="crystal of which a diffusion is to keep parts")
    parser.add_argument("--hold", nargs="+", metavar="PART",
                        help="what of --fixed: lattice, species, coords, or of some sites, as coords=0,3")  # fmt: skip
    parser.add_argument("--symprec", type=float, default=0.1, help="tolerance of symmetries in Angstrom (default: 0.1)")
    parser.add_argument("--published", choices=("perov_5", "carbon_24"), help="published scores to show beside")
    parser.add_argument("--jobs", type=int, default=2, help="processes that score (default: 2)")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random (default: 0)")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="PATH=VALUE")
    parser.add_argument("--out", type=Path, default=Path("runs/crystals"), help="folder of the run")
    parser.add_argument("--export", type=Path, default=Path("saved_models/crystals"), help="SavedModel folder")
    return parser.parse_args()


def _refuse(options: argparse.Namespace) -> None:
    """Refuse what needs no data to be seen as wrong.

    Raises:
        InputError: Something that no model of the family could do.
    """
    if options.family not in FAMILIES[options.representation]:
        raise InputError(
            f"--family is one of {_KNOWN}. "
            f"Received: --family {options.family} --representation {options.representation}."
        )
    unknown = set(requested(options.ask)) - {*options.conditions, *options.properties}
    if unknown:
        raise InputError(
            f"--ask is for what --conditions or --properties make it learn. Received: {', '.join(sorted(unknown))}."
        )
    if options.n < 1 or not options.symprec > 0 or options.jobs < 1:
        raise InputError(
            "-n and --jobs are at least 1, --symprec is above 0. "
            f"Received: -n {options.n} --jobs {options.jobs} --symprec {options.symprec}."
        )
    if (options.near or options.fixed) and not _takes_crystals(options):
        raise InputError(
            "--near and --fixed are for the diffusion of point clouds. "
            f"Received: --family {options.family} --representation {options.representation}."
        )


def _takes_crystals(options: argparse.Namespace) -> bool:
    """Whether the model can be given a crystal."""
    return options.family == "diffusion" and options.representation == "point_cloud"


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    """What the options change in the preset, by path."""
    settings = dict(presets.parse_setting(setting) for setting in options.settings)
    settings |= {"data.source": options.data, "seed": options.seed, "data.crystals.conditions": options.conditions}
    settings |= {"data.crystals.properties": options.properties}
    settings |= {} if options.epochs is None else {"fit.epochs": options.epochs}
    return settings | ({"compile.condition_dropout": 0.1} if _guided(options) else {})


def _guided(options: argparse.Namespace) -> bool:
    """Whether the model learns to be guided."""
    return options.family == "diffusion" and bool(options.conditions)


def _check(options: argparse.Namespace, crystals: Any, request: dict[str, str], given: dict[str, Any]) -> None:
    """Refuse before training what could not be generated after it."""
    from kmatgen.data.crystal_known import EVERYTHING, known_crystal

    if crystals is None:
        raise InputError(f"--data are crystals. Received: {options.data}, which holds none.")
    crystals.asked(request)
    crystals.asked_properties(request)
    for name, hold in {"near": EVERYTHING, "fixed": given.get("hold")}.items():
        if name in given:
            known_crystal(crystals, given[name], hold)


def main() -> None:
    """Parse, train, generate, score, say where the results are."""
    options = _options()
    _refuse(options)
    request = requested(options.ask)
    config = presets.resolve(REPRESENTATIONS[options.representation] + options.family, _settings(options))
    import_tensorflow()
    from kmatgen import training
    from kmatgen.crystals.generation import generate_crystals, write_generation
    from kmatgen.data.sources import open_source
    from kmatgen.export import check_export_folder
    from kmatgen.sampling import export_run

    check_export_folder(options.export)
    given = given_crystals(options.near, options.strength, options.fixed, options.hold)
    crystals = open_source(config["data"], options.seed).crystals
    _check(options, crystals, request, given)
    run = training.train(config, options.out, verbosity())
    export_run(run, options.export)
    print(f"Generating and scoring {options.n} crystals ...")
    how = given | ({"guidance": options.guidance} if _guided(options) and request else {})
    generated = generate_crystals(run.load_model(), crystals, options.n, options.seed, request, options.symprec, **how)
    folder = run.folder / "generated"
    rows = write_generation(generated, crystals, folder, options.published, options.seed, jobs=options.jobs)
    for name, value in rows["generated"].items():
        print(f"{name:<24} {value:8.3f}    real {rows['real'][name]:8.3f}")
    asking = f"\n  kmatgen sample {options.out} -n 64 --near FILE.cif" if _takes_crystals(options) else ""
    print(f"""
Report:      {folder / "crystals.html"}
Crystals:    {folder / "crystals.csv"}, {folder / "cif"}
SavedModel:  {options.export}

Next:
  kmatgen sample {options.export} -n 64 --seed 1{asking}
  kmatgen data {folder / "crystals.csv"}""")


if __name__ == "__main__":
    run_or_explain(main)
