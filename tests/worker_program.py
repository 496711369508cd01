"""What one worker process of `tests/test_distribute.py` does: `python -m tests.worker_program FOLDER`."""

import json
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import kmatgen as kg
from tests.tiny_models import SHAPE, images, quiet_gan_networks, quiet_networks

SAMPLES = np.arange(25, dtype=np.float32)


def vae():
    model = kg.VAE(**quiet_networks(True), seed=0)
    model.compile(optimizer=keras.optimizers.SGD(0.3))
    return model


def gan():
    model = kg.WGANGP(**quiet_gan_networks(), seed=0)
    rates = {role: keras.optimizers.SGD(0.1) for role in ("g_optimizer", "d_optimizer")}
    model.compile(**rates, d_steps=2)
    return model


def noisy_gan():
    """Noise, layer and batch statistics, and power iterations: nothing to compare with, but workers agree."""
    generator = kg.networks.mlp_generator(SHAPE, 3, (8,), normalization="batch")
    model = kg.WGANGP(generator, kg.networks.mlp_discriminator(SHAPE, (8,), normalization="spectral"), seed=0)
    model.compile(d_steps=2)
    return model


MODELS = {"vae": vae, "gan": gan, "noisy_gan": noisy_gan}


def fitted(name, strategy):
    """A model after two epochs of four global batches of 8, and its history."""
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = MODELS[name]()
    steps = getattr(model, "d_steps", 1)
    # The last held-out batch is one sample: a worker has none.
    held_out = kg.data.batches(images(17), 8, seed=None, drop_remainder=False)
    data = kg.data.batches(images(32), 8 // steps, d_steps=steps, seed=0)
    history = model.fit(data, validation_data=held_out, epochs=2, verbose=0).history
    return model, history


def seen(strategy):
    """The rows of each batch that reach this worker: two epochs in shuffled order, and one in order."""
    shuffled = kg.data.batches(SAMPLES, 8, seed=3)
    in_order = kg.data.batches(SAMPLES, 8, seed=None, drop_remainder=False)
    passes = []
    for dataset in (shuffled, in_order):
        spread = strategy.experimental_distribute_dataset(dataset)
        for _ in range(2):
            local = (strategy.experimental_local_results(batch) for batch in spread)
            passes.append([np.concatenate(parts).tolist() for parts in local])
    return passes


def main():
    strategy = kg.distribute.strategy()
    resolver = strategy.cluster_resolver
    folder = Path(sys.argv[1]) / f"{resolver.task_type}_{resolver.task_id}"
    folder.mkdir()
    answer = {
        "strategy": type(strategy).__name__,
        "chief": kg.distribute.is_chief(strategy),
        "gathered": kg.distribute.gather(strategy, 7 + resolver.task_id),
        "seen": seen(strategy),
    }
    for name in MODELS:
        model, answer[name] = fitted(name, strategy)
        np.savez(folder / f"{name}.npz", *model.get_weights())
    (folder / "answer.json").write_text(json.dumps(answer, default=float))


if __name__ == "__main__":
    tf.config.threading.set_inter_op_parallelism_threads(2)
    main()
