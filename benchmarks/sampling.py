"""4,096 samples of a VAE: `generate` against `decoder.predict`, as Keras users write it, in batches of 64.

What `generate` saves is what each call of `predict` costs beside the network, some 100 ms here. Whether that makes
5 x depends on the network: at 64 x 64 an image takes 26 million multiplications in stock layers and 15 million in
`UpsampledConv2D`. Best of 5 turns of 512 samples on a loaded machine of 2 cores: predict with stock layers 1.33 s, of
which 0.55 s are the network; generate with `UpsampledConv2D` 0.29 s. That is 4.6 x with stock layers in the peer; with
the faster layers in the peer, too, (1.33 - 0.55 + 0.29) / 0.29 = 3.7 x is to be expected. Batches of 8, 16, 32 or 256
are no faster, and one `predict` for all is as slow as the network: what is left is convolutions.

python benchmarks/sampling.py --rounds 5
"""

from __future__ import annotations

import argparse
import os
from functools import partial

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from turns import Work, machine, take_turns

import kmatgen as kg

N, BATCH, LATENT = 4096, 64, 16


def make_vae(size: int) -> kg.VAE:
    """The study's VAE."""
    shape = (size, size, 3)
    return kg.VAE(kg.networks.conv_encoder(shape, LATENT), kg.networks.conv_decoder(shape, LATENT), seed=0)


def with_generate(size: int) -> Work:
    """One call that takes care of batches itself."""
    vae = make_vae(size)
    return lambda: vae.generate(N, seed=0, batch_size=BATCH)


def with_predict_calls(size: int) -> Work:
    """A call of `predict` for each batch of 64, as sampling callbacks and loops do."""
    decoder = make_vae(size).decoder
    latent = np.random.default_rng(0).standard_normal((N, LATENT), np.float32)

    def sample() -> None:
        for start in range(0, N, BATCH):
            decoder.predict(latent[start : start + BATCH], verbose=0)

    return sample


def with_stock_layers(size: int) -> Work:
    """The same calls of the same network in layers of Keras alone: up-sampling and convolution apart."""
    decoder = make_vae(size).decoder
    x = latent = keras.Input((LATENT,))
    for layer in decoder.layers[1:]:
        if isinstance(layer, kg.layers.UpsampledConv2D):
            x = keras.layers.UpSampling2D(layer.factor)(x)
            layer = keras.layers.Conv2D(layer.filters, 2, padding="same", activation=layer.activation)
        elif isinstance(layer, kg.layers.BatchNormalization):
            layer = keras.layers.BatchNormalization()
        x = layer(x)
    stock = keras.Model(latent, x)
    stock.set_weights(decoder.get_weights())
    points = np.random.default_rng(0).standard_normal((N, LATENT), np.float32)
    np.testing.assert_allclose(stock(points[:4]), decoder(points[:4]), atol=1e-5)

    def sample() -> None:
        for start in range(0, N, BATCH):
            stock.predict(points[start : start + BATCH], verbose=0)

    return sample


def with_one_predict(size: int) -> Work:
    """One call of `predict` for all samples: its overhead paid once."""
    decoder = make_vae(size).decoder
    latent = np.random.default_rng(0).standard_normal((N, LATENT), np.float32)
    return lambda: decoder.predict(latent, batch_size=BATCH, verbose=0)


PEERS = {
    "generate": with_generate,
    "stock layers": with_stock_layers,
    "predict calls": with_predict_calls,
    "one predict": with_one_predict,
}


def main() -> None:
    """Time all for several image sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="timed turns of each peer (default: 3)")
    rounds = parser.parse_args().rounds
    print(machine())
    for size in (16, 32, 64):
        seconds = take_turns({name: partial(peer, size) for name, peer in PEERS.items()}, rounds)
        stock, calls, once = (seconds[name] / seconds["generate"] for name in [*PEERS][1:])
        print(
            f"{size} x {size} x 3: generate {seconds['generate']:.2f} s; {calls:.1f} x the speed of predict for each "
            f"64 (goal: at least 5 x), {stock:.1f} x with stock layers, {once:.2f} x of one predict"
        )


if __name__ == "__main__":
    main()
