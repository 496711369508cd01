"""Vanilla GAN, WGAN-GP and diffusion on CrysTens, trained for equal times, beside the published table.

    python apps/crystens_study.py --data perov_5/train.csv --minutes 60
    python apps/crystens_study.py --width 0.25 --minutes 10       # smaller networks, pymatgen's prototypes

The published GANs are slow without a GPU; --width makes all networks narrower. The page, the table as csv and a picture
of the tensors go to runs/crystens.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from kmatgen.cli import run_or_explain
from kmatgen.cli.startup import import_tensorflow
from kmatgen.errors import InputError

FAMILIES = ("gan", "wgan_gp", "diffusion")


def main() -> None:
    """Parse, train each, generate, judge, say where the results are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="prototypes", help="folder of CIF, POSCAR or JSON files, or a csv table")
    parser.add_argument("--models", nargs="+", choices=FAMILIES, default=list(FAMILIES), help="default: all")
    parser.add_argument("--minutes", type=float, default=20.0, help="training time of each model (default: 20)")
    parser.add_argument("--width", type=float, default=1.0, help="factor of the filters (default: 1, as published)")
    parser.add_argument("--batch-size", type=int, default=32, help="tensors in a step (default: 32; paper: 64, 256)")
    parser.add_argument("-n", type=int, default=256, help="tensors to generate (default: 256)")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random (default: 0)")
    parser.add_argument("--out", type=Path, default=Path("runs/crystens"), help="folder of the results")
    options = parser.parse_args()
    if options.n < 2:
        raise InputError(f"-n is at least 2: tensors are compared with each other. Received: {options.n}.")

    import_tensorflow()
    from kmatgen.crystals import crystens_study as study
    from kmatgen.data.crystal_source import open_crystals

    representation = {"class_name": "crystens", "config": {"limits": None}}
    crystals = open_crystals(options.data, max_sites=52, representation=representation, seed=options.seed)
    codec = crystals.representation
    tensors, real = crystals.fields(crystals.train), crystals.fields(crystals.test)
    print(f"{len(tensors):,} crystals to train on, {len(real):,} held out; limits: {codec.limits}.")
    trained, generated = {}, {}
    for family in options.models:
        print(f"Training {family} for {options.minutes:g} minutes ...", flush=True)
        model = study.crystens_model(family, tensors.shape[1], options.width, options.seed)
        trained[family] = study.train_for(model, tensors, options.minutes, options.batch_size, options.seed)
        generated[family] = model.generate(options.n, seed=options.seed)
    table = study.consistency_table(codec, real, generated, trained)
    about = {"data": options.data, "training_crystals": len(tensors), "generated": options.n,
             "minutes": options.minutes, "width": options.width, "batch_size": options.batch_size,
             "seed": options.seed}  # fmt: skip
    page = study.write_crystens_study(table, codec, real, generated, options.out, about)
    print(table.to_string(float_format="{:.3g}".format, na_rep=""))
    print(f"\nReport: {page}\nTable:  {page.with_name('consistency.csv')}")


if __name__ == "__main__":
    run_or_explain(main)
