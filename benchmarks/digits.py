"""DCGAN, WGAN-GP and ACGAN on handwritten digits, judged by a small classifier that was trained on real ones.

For each model: how many of the 10 classes are among 2,000 samples, how rare the rarest is, how sure the classifier
is of the samples (beside how sure it is of held-out real digits), and for the ACGAN how many samples have the class
that was asked for and how much they vary within it: their mean distance, as a share of real digits'. A run that is
there already goes on, up to the number of epochs.

    python benchmarks/digits.py --data mnist/ --epochs 30
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from scipy.spatial.distance import pdist
from turns import machine

from kmatgen import presets, training
from kmatgen.cli import run_or_explain
from kmatgen.data.opened import Source
from kmatgen.data.sources import open_source
from kmatgen.plotting import image_grid
from kmatgen.run import CONFIG, Run

# Three times the published rate and 3 critic steps instead of 5: more steps of the generator in the same time.
QUICK = {"class_name": "Adam", "config": {"learning_rate": 3e-4, "beta_1": 0.0, "beta_2": 0.9}}
QUICK_CRITIC = {"compile.d_steps": 3, "compile.g_optimizer": QUICK, "compile.d_optimizer": QUICK, "fit.batch_size": 32}
MODELS = {"DCGAN": ("dcgan_64", {}), "WGAN-GP": ("wgan_gp_64", QUICK_CRITIC), "ACGAN": ("acgan_32", {})}
N_SAMPLES, SIZE = 2000, 32


def configuration(name: str, data: str, epochs: int, seed: int) -> presets.Config:
    """The model's preset on digits of 32 x 32; judged here, not while training."""
    preset, changes = MODELS[name]
    paths = {"data.source": f"digits:{data}" if data else "digits", "data.size": SIZE, "seed": seed}
    fit = {"epochs": epochs, "batch_size": 64, "sample_every": 5, "ema": 0.99, "evaluate_every": 0}
    return presets.resolve(preset, {**paths, **{f"fit.{key}": value for key, value in fit.items()}, **changes})


def classifier(source: Source, epochs: int = 4) -> keras.Model:
    """A small convolutional classifier, trained on the real digits."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential([keras.Input(source.sample_shape)])
    for filters in (16, 32, 64):
        model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(layers.MaxPooling2D())
    model.add(layers.Flatten())
    model.add(layers.Dropout(0.4))
    model.add(layers.Dense(10, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(source.train.shuffle(10_000, seed=0).batch(64), epochs=epochs, shuffle=False, verbose=0)
    return model


def trained(config: presets.Config, folder: Path) -> Run:
    """The finished run in this folder, begun or gone on with."""
    if (folder / CONFIG).is_file():
        return training.resume(folder, {"fit.epochs": config["fit"]["epochs"]}, verbose=0)
    return training.train(config, folder, verbose=0)


def judge(judging: keras.Model, samples: np.ndarray) -> tuple[np.ndarray, float]:
    """The class of each sample, and the mean probability that the classifier gives it."""
    probabilities = judging.predict(samples, batch_size=256, verbose=0)
    return probabilities.argmax(axis=1), float(probabilities.max(axis=1).mean())


def variety(samples: np.ndarray, classes: np.ndarray, most: int = 150) -> float:
    """Mean distance between samples of a class, the first `most`, over all classes."""
    flat = [samples[classes == number][:most].reshape(-1, SIZE * SIZE) for number in np.unique(classes)]
    return float(np.mean([pdist(each).mean() for each in flat]))


def main() -> None:
    """Train the classifier and the models; print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="", help="folder of MNIST's idx files (default: scikit-learn's digits)")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS), help="default: all")
    parser.add_argument("--epochs", type=int, default=30, help="passes over the digits (default: 30)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the models (default: 0)")
    parser.add_argument("--out", type=Path, default=Path("runs/digits"), help="folder of the runs")
    options = parser.parse_args()
    print(machine())
    source = open_source(configuration("ACGAN", options.data, 1, seed=0)["data"], seed=0)
    judging = classifier(source)
    found, certainty = judge(judging, source.test)
    right = (found == source.test_condition).mean()
    print(
        f"classifier: {right:.1%} of {len(found)} held-out digits right, mean probability {certainty:.3f}", flush=True
    )
    real_variety = variety(source.test, source.test_condition)
    for name in options.models:
        config = configuration(name, options.data, options.epochs, options.seed)
        run = trained(config, options.out / config["preset"])
        model = run.load_model("last")
        asked = None if model.condition_spec is None else np.arange(N_SAMPLES) % 10
        samples = model.generate(N_SAMPLES, asked, seed=options.seed)
        image_grid(samples[:100], run.folder / "judged.png", columns=10)
        found, certainty = judge(judging, samples)
        counts = np.bincount(found, minlength=10)
        print(
            f"{name:<8} {(counts > 0).sum()} classes, the rarest {counts.min()} times, "
            f"mean probability {certainty:.3f}, "
            + ("" if asked is None else f"{(found == asked).mean():.1%} as asked, ")
            + ("" if asked is None else f"variety {variety(samples, asked) / real_variety:.2f} of real digits', ")
            + f"{options.epochs} epochs in {run.read_json('metrics.json')['seconds']:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    run_or_explain(main)
