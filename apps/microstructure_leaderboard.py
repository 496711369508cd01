"""Which model for your micrographs? Train a VAE, a WGAN-GP and a diffusion model for the same time, and judge them.

    python apps/microstructure_leaderboard.py --minutes 7                          # synthetic polycrystals
    python apps/microstructure_leaderboard.py --data micrographs/ --channels 1 --minutes 60

One table and one page with samples, curves, distributions and the closest training samples, in runs/leaderboard.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from kmatgen import presets
from kmatgen.cli import run_or_explain
from kmatgen.cli.startup import import_tensorflow
from kmatgen.run import CONFIG, Run

# The study's VAE was made for colours: of grey grains and of steel it learns nothing, its divergence weighs too much.
FAMILIES = {"vae": "vae_micrographs", "wgan_gp": "wgan_gp_small", "diffusion": "diffusion_64"}
# A run ends by the clock, never by its epochs.
ENDLESS = 1_000_000


def main() -> None:
    """Train one after the other, judge all of them by the same held-out samples."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="polycrystal", help="folder of micrographs (default: synthetic polycrystals)")
    parser.add_argument("--size", type=int, default=64, help="side of the images in pixels (default: 64)")
    parser.add_argument("--channels", type=int, choices=(1, 3), help="convert images to grey or to colour")
    parser.add_argument(
        "--minutes", type=float, default=7.0, help="of each training, to the end of an epoch (default: 7)"
    )
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES), help="default: all three")
    parser.add_argument("--set", dest="settings", action="append", default=[], help="PATH=VALUE, a setting of all runs")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random (default: 0)")
    parser.add_argument("-n", type=int, default=256, help="samples to judge each by (default: 256)")
    parser.add_argument("--out", type=Path, default=Path("runs/leaderboard"), help="folder of the runs and the page")
    options = parser.parse_args()
    settings = {"data.source": options.data, "data.size": options.size, "data.channels": options.channels}
    settings |= {"seed": options.seed, "fit.epochs": ENDLESS, "fit.minutes": options.minutes}
    if options.data == "polycrystal":
        # Small enough that many grains lie inside an image as a whole and can be measured.
        settings |= {"data.polycrystal.grain_size": [options.size / 6, options.size / 4.5]}
        settings |= {"data.polycrystal.colouring": "grey"}
    settings |= dict(presets.parse_setting(text) for text in options.settings)

    import_tensorflow()
    from kmatgen import training
    from kmatgen.evaluation.compare import compare_models, comparison_text

    runs = {}
    for family in options.families:
        folder = options.out / family
        runs[family] = folder
        # One that was trained in an earlier call, perhaps an interrupted one, is judged as it is.
        if (folder / CONFIG).is_file() and Run.open(folder).finished_epochs:
            Run.open(folder).adopt(settings)  # which refuses other data, for instance
            print(f"{family}: trained in an earlier call")
            continue
        print(f"{family}: {options.minutes:g} minutes")
        run = training.train(presets.resolve(FAMILIES[family], settings), folder, verbose=2)
        print(f"{family}: its last epoch ended after {run.read_json('metrics.json')['seconds'] / 60:.2g} minutes")
    first = next(iter(runs.values()))
    tables, page = compare_models(runs, first, options.out / "comparison", n=options.n, seed=options.seed)
    print(f"\n{comparison_text(tables)}\n\nPage: {page}")


if __name__ == "__main__":
    run_or_explain(main)
