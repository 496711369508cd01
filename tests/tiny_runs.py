"""Settings of a run that trains in seconds, for tests."""

from kmatgen import presets

TINY = {
    "data.size": 16,
    "data.polycrystal.n": 40,
    "data.polycrystal.grain_size": [5.0, 8.0],
    "fit.batch_size": 8,
    "fit.epochs": 2,
    "networks.encoder.config.filters": [4, 8],
    "networks.decoder.config.filters": [8, 4],
}


def tiny(**more):
    """The configuration of a small autoencoder of polycrystals, with further settings by path."""
    return presets.resolve("vae", {**TINY, **more})
