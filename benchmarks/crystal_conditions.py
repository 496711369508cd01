"""Crystals asked for a property: how many have it, by a regressor that was trained on real crystals.

    python benchmarks/crystal_conditions.py --data perov_5/train.csv --column heat_all --low 0.0 --high 0.5

Trains the conditional diffusion of crystals, asks for values in the range, and prints the share of generated crystals
that the regressor puts there beside the share of the training crystals that are. The regressor is judged by crystals
whose sets of elements neither it nor the diffusion has seen.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor

from kmatgen import presets
from kmatgen.cli import run_or_explain
from kmatgen.cli.startup import import_tensorflow
from kmatgen.representations.crystal_table import CrystalTable


def features(table: CrystalTable) -> np.ndarray:
    """Composition statistics, the order of elements by role, density and volume per atom."""
    from kmatgen.metrics.composition_fingerprints import composition_statistics
    from kmatgen.representations import order_sites

    ordered = order_sites(table, "electronegativity")
    geometry = np.stack([table.density, table.volume / table.n_sites], axis=1)
    return np.concatenate([composition_statistics(table), ordered.species, geometry], axis=1)


def main() -> None:
    """Train, ask, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="csv table of crystals")
    parser.add_argument("--column", default="heat_all", help="column of numbers to ask for")
    parser.add_argument("--low", type=float, default=0.0, help="least value asked for")
    parser.add_argument("--high", type=float, default=0.5, help="greatest value asked for")
    parser.add_argument("-n", type=int, default=1000, help="crystals for each row of the result")
    parser.add_argument("--epochs", type=int, default=28, help="epochs of 40 passes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/crystal_conditions"))
    options = parser.parse_args()

    import_tensorflow()
    from kmatgen import training
    from kmatgen.data.sources import open_source
    from kmatgen.representations.base import keep_crystals
    from kmatgen.run import Run

    settings = {
        "data.source": options.data,
        "data.crystals.conditions": [options.column],
        "compile.condition_dropout": 0.1,
        "fit.epochs": options.epochs,
        "seed": options.seed,
    }
    done = (options.out / "config.json").is_file()
    config = presets.resolve("crystal_diffusion", settings)
    run = Run.open(options.out) if done else training.train(config, options.out)
    model, crystals = run.load_model(), open_source(run.config["data"], options.seed).crystals

    train, test = crystals.train, crystals.test
    regressor = ExtraTreesRegressor(300, min_samples_leaf=2, n_jobs=2, random_state=options.seed)
    regressor.fit(features(train), train.properties[options.column])
    error = np.abs(regressor.predict(features(test)) - test.properties[options.column]).mean()
    spread = np.abs(test.properties[options.column] - test.properties[options.column].mean()).mean()
    print(f"regressor: mean error {error:.3f} on {len(test)} crystals held out; always saying the mean: {spread:.3f}")

    def share(values: np.ndarray) -> float:
        return float(((values >= options.low) & (values <= options.high)).mean())

    print(f"share of {options.column} from {options.low} to {options.high}:")
    print(f"  training crystals                    {share(train.properties[options.column]):.3f}")
    print(f"  training crystals, by the regressor  {share(regressor.predict(features(train))):.3f}")
    real = train.properties[options.column]
    wished = np.random.default_rng(options.seed).choice(real[(real >= options.low) & (real <= options.high)], options.n)
    asked = {**model.draw_conditions(options.n, options.seed), options.column: wished[:, None].astype(np.float32)}
    asking = [("not asked", None, 1.0)]
    asking += [(f"asked, guidance {guidance:g}", asked, guidance) for guidance in (1.0, 2.0, 4.0)]
    for name, condition, guidance in asking:
        samples = model.generate(options.n, condition, seed=options.seed, guidance=guidance, batch_size=256)
        generated = keep_crystals(samples).table
        print(f"  {len(generated)} generated, {name:<20}  {share(regressor.predict(features(generated))):.3f}")


if __name__ == "__main__":
    run_or_explain(main)
