"""Train a WGAN-GP of microstructures, and ask it for phase fractions.

    python apps/microstructure_gan.py                              # synthetic polycrystals
    python apps/microstructure_gan.py --data micrographs/          # your own images
    python apps/microstructure_gan.py --data micrographs/ --fraction
    python apps/microstructure_gan.py --data phases --phases 3 --fraction
    python apps/microstructure_gan.py --dimensions 3 --fraction    # synthetic two-phase volumes

With --fraction the generator is told the fraction of the bright phase (of each phase, where there are three), and
the report shows what was asked for against what was made. Samples of synthetic data, which are periodic, tile without
seams; --periodic asks for that with your own images, too. The run goes to runs/microstructure_gan, the SavedModel to
saved_models/microstructure_gan.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from kmatgen import presets
from kmatgen.cli import run_or_explain
from kmatgen.cli.startup import import_tensorflow, verbosity
from kmatgen.plotting import image_grid
from kmatgen.run import Run

# Ranges of the fractions of the second phase, or of the second and the third.
FRACTIONS = {2: [0.2, 0.6], 3: [[0.15, 0.4], [0.15, 0.4]]}


def configuration(options: argparse.Namespace) -> presets.Config:
    """The preset `wgan_gp_64` with what was asked for."""
    synthetic = options.data in ("polycrystal", "phases")
    paths = {
        "data.source": options.data,
        "data.size": options.size,
        "data.polycrystal.n": options.n,
        "data.phases.n": options.n,
        "data.phases.dimensions": options.dimensions,
        "data.phases.fractions": FRACTIONS[options.phases],
        "fit.epochs": options.epochs,
        # A thousand images are few steps: an epoch takes them several times.
        "fit.passes": 5 if synthetic else 1,
        "fit.ema": 0.999,
        "seed": options.seed,
    }
    if options.fraction:
        paths |= {"data.condition": "phase_fraction", "data.channels": 1, "data.polycrystal.colouring": "grey"}
        paths["compile.terms"] = terms(channels=3 if options.phases == 3 else 1)
    config = presets.resolve("wgan_gp_64", paths)
    for network in config["networks"].values():
        network["config"]["periodic"] = options.periodic or synthetic
        network["config"]["condition"] = presets.FROM_DATA if options.fraction else None
    generator = config["networks"]["generator"]["config"]
    if options.fraction:
        generator["conditioning"] = "conditional_normalization"
    if options.phases == 3:
        generator["output_activation"] = "softmax"
    return config


def terms(channels: int) -> list[dict[str, Any]]:
    """The gradient penalty, and for each channel the squared error of its fraction."""
    made: list[dict[str, Any]] = [{"class_name": "gradient_penalty", "config": {"weight": 10.0}}]
    for channel in range(channels):
        where = {"phase": channel, "column": channel, "name": f"fraction_{channel}"}
        config = {"weight": 100.0, "threshold": presets.FROM_DATA, **where}
        made.append({"class_name": "volume_fraction", "config": config})
    return made


def tile(run: Run, seed: int) -> Path:
    """Picture four samples, each two by two: what is periodic shows no seam."""
    model = run.load_model()
    condition = None if model.condition_spec is None else np.full(model.condition_spec.shape[1:], 1 / 3, np.float32)
    samples = model.generate(4, condition, seed=seed)
    sides = samples.ndim - 2
    return image_grid(np.tile(samples, (1, *[2] * sides, 1)), run.folder / "tiled.png", columns=2)


def main() -> None:
    """Parse, train, export, say where the results are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", help="folder of micrographs, polycrystal or phases (default: polycrystal; phases in 3-D)"
    )
    parser.add_argument("--dimensions", type=int, choices=(2, 3), default=2, help="3: synthetic phase volumes")
    parser.add_argument("--phases", type=int, choices=(2, 3), default=2, help="phases of synthetic phase fields")
    parser.add_argument("--fraction", action="store_true", help="condition on the fraction of each phase")
    parser.add_argument("--periodic", action="store_true", help="samples of micrographs that tile without seams")
    parser.add_argument("--size", type=int, help="side in pixels, a power of two (default: 64; 32 in 3-D)")
    parser.add_argument("--n", type=int, default=1000, help="number of synthetic images (default: 1000)")
    parser.add_argument("--epochs", type=int, default=100, help="passes over the data (default: 100)")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random (default: 0)")
    parser.add_argument("--out", type=Path, default=Path("runs/microstructure_gan"), help="folder of the run")
    parser.add_argument(
        "--export", type=Path, default=Path("saved_models/microstructure_gan"), help="SavedModel folder"
    )
    options = parser.parse_args()
    options.data = options.data or ("phases" if options.dimensions == 3 else "polycrystal")
    options.size = options.size or (32 if options.dimensions == 3 else 64)
    if options.data != "phases" and (options.dimensions == 3 or options.phases == 3):
        parser.error("volumes and three phases are synthetic: use --data phases")

    import_tensorflow()
    from kmatgen import training
    from kmatgen.sampling import export_run

    run = training.train(configuration(options), options.out, verbosity())
    export_run(run, options.export)
    tiled = tile(run, options.seed)
    asked = " --condition 0.3" if options.fraction and options.phases == 2 else ""
    print(f"""
Report:      {run.folder / "report.html"}
Tiled 2 x 2: {tiled}
SavedModel:  {options.export}

Next:
  kmatgen sample {options.export} -n 64 --seed 1{asked}
  kmatgen train --resume {run.folder} --epochs {2 * options.epochs}""")


if __name__ == "__main__":
    run_or_explain(main)
