"""Settings of a run that trains in seconds, for tests."""

from kmatgen import presets
from kmatgen.crystals.files import write_crystals
from tests.representations.crystals import perovskites

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


def perovskite_data(folder, n=60):
    """Settings of one short epoch on `n` perovskites, which are written below the folder."""
    table = write_crystals(perovskites(n), folder / "data")
    return {"data.source": str(table), "fit.epochs": 1, "fit.passes": 1, "fit.batch_size": 8}


# Of a diffusion of crystals that is sampled for their density.
SMALL_DENOISER = {
    "data.crystals.conditions": ["density"],
    "networks.denoiser.config.width": 8,
    "networks.denoiser.config.blocks": 1,
    "model.config.steps": 2,
}
