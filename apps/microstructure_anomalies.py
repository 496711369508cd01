"""Find what is unlike the rest: train on one kind of microstructure, and score all others against it.

    python apps/microstructure_anomalies.py --data uhcs/ --normal spheroidite --minutes 5

The folder has a metadata.csv whose column (--column) names the kind of each image, or else a subfolder for each kind.
Images of the normal kind are divided into training and held-out ones; the area under the ROC curve says how well the
scores tell held-out normal images from all others. Figures and numbers go to runs/anomalies.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

import kmatgen as kg
from kmatgen.cli import run_or_explain
from kmatgen.cli.startup import import_tensorflow
from kmatgen.plotting import heat_maps, roc_curves
from kmatgen.presets import resolve

MODELS = {"vae": "vae_micrographs", "gan": "sngan_64", "diffusion": "diffusion_64"}


def main() -> None:
    """Train on the normal kind, score the rest, picture both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with a metadata.csv or subfolders")
    parser.add_argument("--column", default="primary_microconstituent", help="column that names the kind")
    parser.add_argument("--normal", default="spheroidite", help="kind that is normal (default: spheroidite)")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=["vae"], help="default: vae")
    parser.add_argument("--size", type=int, default=64, help="side of the patches in pixels (default: 64)")
    parser.add_argument("--minutes", type=float, default=5.0, help="wall time of each training (default: 5)")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random (default: 0)")
    parser.add_argument("--out", type=Path, default=Path("runs/anomalies"), help="folder of figures and numbers")
    options = parser.parse_args()
    import_tensorflow()
    train, normal, other = divided(options)
    print(f"{len(train[0])} patches to train on, {len(normal[0])} held-out normal ones, {len(other[0])} others")
    scores = {"contrast (no model)": (normal[0].std(axis=(1, 2, 3)), other[0].std(axis=(1, 2, 3)))}
    for name in options.models:
        model = trained(name, train[0], options)
        extra = {"encoder": kg.anomaly.fit_encoder(model, train[0])} if name == "gan" else {}
        found = [kg.anomaly_score(model, part[0], **extra) for part in (normal, other)]
        scores[name] = (found[0].scores, found[1].scores)
        picture(name, (normal[0], other[0]), found, options.out)
    report(scores, normal[1], other[1], options.out)


def divided(options: argparse.Namespace) -> list[tuple[np.ndarray, np.ndarray]]:
    """Patches and the images they are of: to train on, held out of the normal kind, of all other kinds."""
    from kmatgen.data.kinds import kinds_of
    from kmatgen.data.patches import patch_owners

    files = list(kg.data.find_micrographs(options.data, channels=1))
    # By the table of the folder, or where it has none by the subfolder.
    column = options.column if (options.data / "metadata.csv").is_file() else None
    kinds = kinds_of([file.path for file in files], options.data, column)
    known = sorted({kind for kind in kinds if kind})
    if len(known) < 2 or options.normal not in known:
        raise kg.InputError(
            f"--normal is one of at least two kinds, here {', '.join(known) or 'none'}. Received: {options.normal!r}."
        )
    of_normal = [file for file, kind in zip(files, kinds, strict=True) if kind == options.normal]
    others = [file for file, kind in zip(files, kinds, strict=True) if kind and kind != options.normal]
    held_out_paths = set(kg.data.split_files([file.path for file in of_normal], 0.3, options.seed)[1])
    parts = (
        [file for file in of_normal if file.path not in held_out_paths],
        [file for file in of_normal if file.path in held_out_paths],
        others,
    )
    return [
        (
            np.stack(list(kg.data.micrograph_patches(part, options.size, channels=1).as_numpy_iterator())),
            patch_owners(part, options.size),
        )
        for part in parts
    ]


def trained(name: str, patches: np.ndarray, options: argparse.Namespace) -> kg.GenerativeModel:
    """A model of the patches, trained for the time given."""
    import keras

    from kmatgen.training import build_model

    config = resolve(MODELS[name], {"seed": options.seed})
    keras.utils.set_random_seed(options.seed)
    model = build_model(config, patches.shape[1:])
    batches = kg.data.batches(patches, 32, seed=options.seed, d_steps=getattr(model, "d_steps", 1))
    callbacks = [kg.callbacks.StopAfterMinutes(options.minutes)]
    if config["fit"]["ema"]:
        callbacks.append(kg.callbacks.GeneratorEMA(config["fit"]["ema"]))
    model.fit(batches, epochs=1_000_000, callbacks=callbacks, verbose=2)
    return model


def picture(name: str, patches: tuple, found: list, folder: Path) -> None:
    """Heat maps of four normal and four other patches, those in the middle of their scores."""
    shown = []
    for kind, images, part in zip(("normal", "other"), patches, found, strict=True):
        quantiles = (np.array([0.2, 0.4, 0.6, 0.8]) * len(part.scores)).astype(int)
        for row in np.argsort(part.scores)[quantiles]:
            shown.append((images[row], part.expected[row], part.maps[row], f"{kind}\n{part.scores[row]:.3g}"))
    *arrays, titles = zip(*shown, strict=True)
    heat_maps(*map(np.stack, arrays), folder / f"{name}_heat_maps.png", list(titles))


def report(scores: dict, normal_images: np.ndarray, other_images: np.ndarray, folder: Path) -> None:
    """The area under the curve of patches, and of images, whose score is the mean over their patches."""
    from sklearn.metrics import roc_auc_score, roc_curve

    curves, areas = {}, {}
    for name, (normal, other) in scores.items():
        per_image = [mean_by(values, of) for values, of in ((normal, normal_images), (other, other_images))]
        pairs = {"patches": (normal, other), "images": tuple(per_image)}
        areas[name] = {}
        for what, (low, high) in pairs.items():
            labels, values = np.repeat([0, 1], [len(low), len(high)]), np.concatenate([low, high])
            areas[name][what] = float(roc_auc_score(labels, values))
            if what == "images":
                curves[name] = (*roc_curve(labels, values)[:2], areas[name][what])
        print(f"{name:<20} area under the ROC curve: patches {areas[name]['patches']:.3f}, "
              f"images {areas[name]['images']:.3f}")  # fmt: skip
    (folder / "areas.json").write_text(json.dumps(areas, indent=2) + "\n", encoding="utf-8")
    print(f"Figure: {roc_curves(curves, folder / 'roc.png')}")


def mean_by(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The mean of values for each group."""
    return np.array([values[groups == group].mean() for group in np.unique(groups)])


if __name__ == "__main__":
    run_or_explain(main)
