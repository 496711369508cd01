"""Train a VAE of microstructures and see whether it learnt them.

With no data of your own it makes 1000 synthetic polycrystals first:

    python apps/microstructure_vae.py
    python apps/microstructure_vae.py --data micrographs/ --size 64 --epochs 50
    python apps/microstructure_vae.py --study latent --seeds 3

The run goes to runs/microstructure_vae, the SavedModel to saved_models/microstructure_vae.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from kmatgen import presets, study
from kmatgen.cli import run_or_explain
from kmatgen.cli.startup import import_tensorflow, verbosity


def main() -> None:
    """Parse, train or study, say where the results are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="polycrystal", help="folder of micrographs (default: synthetic polycrystals)")
    parser.add_argument("--size", type=int, default=64, help="side of the images in pixels (default: 64)")
    parser.add_argument("--epochs", type=int, default=30, help="passes over the data (default: 30)")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random (default: 0)")
    parser.add_argument(
        "--study", choices=sorted(presets.STUDIES), help="compare several models instead of training one"
    )
    parser.add_argument("--seeds", type=int, default=3, help="seeds of each member of a study (default: 3)")
    parser.add_argument("--jobs", type=int, default=1, help="members of a study trained at a time (default: 1)")
    parser.add_argument("--out", type=Path, default=Path("runs/microstructure_vae"), help="folder of the run")
    parser.add_argument(
        "--export", type=Path, default=Path("saved_models/microstructure_vae"), help="SavedModel folder"
    )
    options = parser.parse_args()
    settings = {"data.source": options.data, "data.size": options.size, "fit.epochs": options.epochs}

    if options.study:
        folder = options.out.with_name(f"{options.out.name}_{options.study}")
        report = study.run_named(options.study, settings, folder, seeds=options.seeds, jobs=options.jobs)
        print(f"\nReport of the study: {report}")
        return

    import_tensorflow()
    from kmatgen import training
    from kmatgen.sampling import export_run

    run = training.train(presets.resolve("vae", {**settings, "seed": options.seed}), options.out, verbosity())
    export_run(run, options.export)
    print(f"""
Report:      {run.folder / "report.html"}
SavedModel:  {options.export}

Next:
  kmatgen sample {options.export} -n 64 --seed 1
  kmatgen train --resume {run.folder} --epochs {2 * options.epochs}
  python apps/microstructure_vae.py --study latent""")


if __name__ == "__main__":
    run_or_explain(main)
