"""Grids of tiny models that the tests of studies work on."""

from kmatgen import presets

LATENT = {"latent_dim": presets.STUDIES["latent"][2]["latent_dim"]}
TWO = {"latent_dim": {label: LATENT["latent_dim"][label] for label in ("2", "4")}}
TINY = {
    "data.size": 16,
    "data.polycrystal.n": 20,
    "data.polycrystal.grain_size": [4, 8],
    "networks.encoder.config.filters": [4, 8],
    "networks.decoder.config.filters": [8, 4],
    "fit.batch_size": 8,
    "fit.epochs": 1,
}
