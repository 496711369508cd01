"""Compare GANs on handwritten digits: loss curves, D(x) and D(G(z)), samples as training goes on.

    python apps/digits_gan.py --data mnist/ --models dcgan acgan --epochs 50
    python apps/digits_gan.py                       # all models, scikit-learn's digits if there is no mnist here

Leaves one figure with a row for each model, and the samples of each, in runs/digits_gan.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import kmatgen as kg
from kmatgen.cli import run_or_explain
from kmatgen.cli.startup import import_tensorflow
from kmatgen.plotting import image_grid, training_figure

if TYPE_CHECKING:
    import keras

SHAPE, CLASSES, EPOCHS_SHOWN = (32, 32, 1), {"classes": 10}, (1, 2, 4, 10, 50, 100)
# Classes are learnt from real digits alone: from generated ones, too, both networks may agree on classes of their own.
TERMS = {"acgan": lambda: [kg.AuxiliaryClassifier(fake=False)]}
MODELS: dict[str, Callable[[], kg.GAN]] = {
    "vanilla": lambda: kg.GAN(kg.networks.mlp_generator(SHAPE), kg.networks.mlp_discriminator(SHAPE), seed=0),
    "dcgan": lambda: kg.DCGAN(
        kg.networks.dcgan_generator(SHAPE, filters=32), kg.networks.dcgan_discriminator(SHAPE, 32), seed=0
    ),
    "conditional": lambda: kg.ConditionalGAN(
        kg.networks.dcgan_generator(SHAPE, filters=32, condition=CLASSES),
        kg.networks.dcgan_discriminator(SHAPE, 32, condition=CLASSES),
        seed=0,
    ),
    "acgan": lambda: kg.ACGAN(
        kg.networks.dcgan_generator(SHAPE, filters=32, condition=CLASSES, conditioning="conditional_normalization"),
        kg.networks.dcgan_discriminator(SHAPE, 32, classes=10),
        seed=0,
    ),
    "infogan": lambda: kg.InfoGAN(
        kg.networks.dcgan_generator(SHAPE, filters=32, condition={"size": 12}),
        kg.networks.dcgan_discriminator(SHAPE, 32, code_categories=10, code_continuous=2),
        seed=0,
    ),
    "wgan_gp": lambda: kg.WGANGP(
        kg.networks.dcgan_generator(SHAPE, filters=32),
        kg.networks.dcgan_discriminator(SHAPE, 32, normalization="layer"),
        seed=0,
    ),
}


def asked(model: kg.GAN) -> np.ndarray | None:
    """Conditions of a grid of 10 x 10: a class, or for InfoGAN a category, in each row."""
    rows = np.repeat(np.arange(10), 10)
    if model.condition_spec is None:
        return None
    if model.condition_spec.shape.rank == 1:
        return rows
    # The first continuous code sweeps along the row.
    sweep = np.stack([np.tile(np.linspace(-2, 2, 10), 10), np.zeros(100)], axis=1)
    return np.concatenate([np.eye(10)[rows], sweep], axis=1).astype(np.float32)


def snapshots(model: kg.GAN, epochs: set[int], path: Path, shown: dict[int, np.ndarray]) -> keras.callbacks.Callback:
    """Keep the samples of some epochs in `shown`, and picture them."""
    import keras

    def keep(epoch: int, logs: dict | None = None) -> None:
        if epoch + 1 in epochs:
            shown[epoch + 1] = model.generate(100, asked(model), seed=0)
            image_grid(shown[epoch + 1], path.with_name(f"{path.name}_{epoch + 1:04d}.png"), columns=10)

    return keras.callbacks.LambdaCallback(on_epoch_end=keep)


def main() -> None:
    """Train the models in turn and picture them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder of MNIST's idx files, tfds (downloads), or sklearn")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS), help="default: all")
    parser.add_argument("--epochs", type=int, default=20, help="passes over the digits (default: 20)")
    parser.add_argument("--batch-size", type=int, default=64, help="digits of a generator step (default: 64)")
    parser.add_argument("--out", type=Path, default=Path("runs/digits_gan"), help="folder of the pictures")
    options = parser.parse_args()
    import_tensorflow()
    import keras

    from kmatgen.data.digits import load_digits

    digits = load_digits(options.data, SHAPE[0])
    print(f"{len(digits.images)} digits: {digits.source}")
    histories: dict[str, dict] = {}
    shown: dict[str, dict[int, np.ndarray]] = {name: {} for name in options.models}
    for name in options.models:
        print(name)
        keras.utils.set_random_seed(0)
        model = MODELS[name]()
        model.compile(terms=TERMS[name]() if name in TERMS else None)
        labelled = model.condition_spec is not None and name != "infogan"
        data = (digits.images, digits.labels) if labelled else digits.images
        train = kg.data.batches(data, options.batch_size, d_steps=model.d_steps, seed=0, shuffle_buffer=60_000)
        snapshot = snapshots(model, {*EPOCHS_SHOWN, options.epochs}, options.out / name, shown[name])
        histories[name] = model.fit(train, epochs=options.epochs, callbacks=[snapshot], verbose=2).history
        model.export(options.out / f"{name}_saved_model")
    figure = training_figure(histories, shown, options.out / "digits_gan.png")
    print(f"Figure: {figure}")


if __name__ == "__main__":
    run_or_explain(main)
