"""What a generative model of crystals is made of, beside its networks."""

from __future__ import annotations

from typing import Any

import keras

from kmatgen.data.crystal_source import CrystalSource
from kmatgen.diffusion import EmpiricalPrior, Field, Periodic
from kmatgen.networks import image_decoder

# Length of a cell edge on the scale of interchangeable sites, see `kmatgen.representations.PointCloud`.
CELL_LENGTH = 4.0
# Of the way to where the denoiser wants a site, in each step of sampling. Of carbon_24 after 46 minutes of training,
# .15, .3 and .5 made 81, 84 and 82 % of 200 crystals like real ones; after 7 minutes .3 60 %, along the velocity 10 %.
PULL = 0.3


def crystal_parts(crystals: CrystalSource) -> dict[str, Any]:
    """Arguments of a model of crystals, and of its networks, that only the data know.

    Returns:
        `decoder` to physical units; `condition` for the builders of networks; `prior` that draws conditions of training
        crystals, their masks among them, where `generate` is not given any; `cell` for a denoiser of sets of sites:
        what the lattice means in space; `fields`: of a set of sites the coordinates are periodic, and nothing is asked
        of sites that are not there; `sampler`: sets of sites settle better when they are shaken; `properties` for a VAE
        to predict. Of tensors also `centred_decoder`, from the
        scale of `image_encoder`.
    """
    decoder = crystals.decoder
    conditions = crystals.conditions_of(crystals.train)
    parts = {
        "decoder": decoder,
        "condition": crystals.condition_specs,
        "prior": None if conditions is None else EmpiricalPrior.of(conditions),
        "cell": crystals.representation if crystals.are_sets else None,
        "fields": _fields_of_sets(crystals) if crystals.are_sets else None,
        "sampler": "ancestral" if crystals.are_sets else "ddim",
        "properties": crystals.properties.specs or None,
    }
    return {**parts, "centred_decoder": _centred(decoder)} if crystals.are_tensors else parts


def _fields_of_sets(crystals: CrystalSource) -> dict[str, Field]:
    places = Periodic(CELL_LENGTH, -CELL_LENGTH / 2, interchangeable=True, pull=PULL)
    fields = {"species": Field(mask="mask"), "coords": Field(places, mask="mask")}
    there = crystals.fields(crystals.test[:1])
    return {name: field for name, field in fields.items() if name in there}


def _centred(decoder: keras.Model) -> keras.Model:
    """The decoder of tensors in [-1, 1], where a diffusion adds noise."""
    to_unit = image_decoder(decoder.input.shape[1:])
    return keras.Model(to_unit.input, decoder(to_unit.output), name="centred_decoder")
