"""Denoisers of sets: the sites of a crystal, whose order means nothing, in a lattice."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from kmatgen.errors import InputError
from kmatgen.layers import (
    ModulatedNormalization,
    PairForces,
    PeriodicDifferences,
    PeriodicNeighbours,
    RestoreSites,
    SiteAttention,
    TrimSites,
)
from kmatgen.networks.conditions import Conditions
from kmatgen.networks.denoising import denoiser_inputs, modulation
from kmatgen.representations.cell_metric import CellMetric


def site_transformer(
    sample_shape: dict[str, tuple[int, ...]],
    width: int = 128,
    blocks: int = 4,
    heads: int = 8,
    pair_width: int = 32,
    frequencies: int = 6,
    period: float = 1.0,
    cell: Any = None,
    radial: int = 12,
    cutoff: float = 5.0,
    condition: Conditions = None,
    name: str = "site_transformer",
) -> keras.Model:
    """A transformer over the sites of a cell that sees how they stand to each other.

    Coordinates enter through periodic differences alone: the prediction is the same wherever the origin lies and
    whichever periodic image of a site is given, and it permutes with the sites. The lattice, the time and the
    condition modulate every block and say what a difference means.

    Args:
        sample_shape: Shape of each field by name: `coords` `(sites, 3)`; further fields of sites, such as `species`
            `(sites, features)`; and fields of the whole cell, such as `lattice` `(6,)`.
        width: Channels of a site, a multiple of `heads`.
        blocks: Number of blocks, each an attention and two dense layers.
        heads: Attention heads.
        pair_width: Channels of a pair of sites.
        frequencies: Waves that a difference is described by, for each axis.
        period: Length of a cell edge in the scale of `coords`.
        cell: A fitted `kmatgen.representations.PointCloud`, which knows what the lattice's numbers mean: sites then see
            their distances in Angstrom, and pull each other along the directions between them. `None`: they do not.
        radial: Functions that a distance is described by.
        cutoff: Sites farther from each other, in Angstrom, do not see their distance.
        condition: See `kmatgen.networks.conditions`: entries by name, one of them `mask` of size `sites`.
        name: Name of the model.

    Returns:
        A model of `{"sample", "time", "condition"}`, with more than the mask in the condition also `"known"`, to
        fields of the same shapes; float32, and 0 before training.

    Raises:
        InputError: No coordinates, or no mask in the condition.
    """
    sites = _check(sample_shape, condition)
    inputs = denoiser_inputs(sample_shape, condition)
    mask, sample = inputs["condition"]["mask"], inputs["sample"]
    of_cell = {key: field for key, field in sample.items() if len(field.shape) == 2}
    vector = modulation(inputs, condition, width, tuple(of_cell.values()))

    present, of_sites = _trimmed(sample, mask)
    fractional = layers.Rescaling(1 / period, dtype="float32", name="fractional")(of_sites["coords"])
    pairs = PeriodicDifferences(frequencies, name="differences")(fractional)
    described = [layers.Reshape((-1, 1), name="present_column")(present)]
    described += [field for key, field in of_sites.items() if key != "coords"]
    directions = None
    if cell is not None:
        metric = _metric(cell, mask, of_cell)
        near, directions = PeriodicNeighbours(radial, cutoff, name="neighbours")(fractional, metric)
        pairs = layers.Concatenate(name="pairs")([pairs, near])
        described.append(layers.Dot(axes=(2, 1), name="around")([near, present]))
    x = _described(described, vector, width)
    for block in range(blocks):
        x = _block(x, pairs, vector, present, (width, heads, pair_width), block)
    x = ModulatedNormalization(name="norm")(x, vector)

    outputs = {key: _restored(_head(x, field.shape[-1], key), sites, key) for key, field in of_sites.items()}
    if directions is not None:
        forces = _restored(PairForces(pair_width, name="forces")(x, pairs, directions, present), sites, "forces")
        outputs["coords"] = layers.Add(dtype="float32", name="coords_out")([outputs["coords"], forces])
    whole = _whole(x, vector, present, width)
    outputs |= {key: _head(whole, field.shape[-1], key) for key, field in of_cell.items()}
    return keras.Model(inputs, {key: outputs[key] for key in sample}, name=name)


def _check(sample_shape: Any, condition: Conditions) -> int:
    """The number of sites of samples that the network can be built for."""
    if not isinstance(sample_shape, dict) or len(sample_shape.get("coords", ())) != 2:
        raise InputError(f"site_transformer needs a field coords of shape (sites, 3). Received: {sample_shape!r}.")
    sites = sample_shape["coords"][0]
    if not condition or condition.get("mask") != {"size": sites}:
        raise InputError(
            f'site_transformer needs a condition with "mask": {{"size": {sites}}}. Received: {condition!r}.'
        )
    return sites


def _trimmed(sample: dict[str, Any], mask: Any) -> tuple[Any, dict[str, Any]]:
    """The mask and the fields of sites, of only as many sites as the largest crystal of the batch has."""
    present = TrimSites(name="present")(mask, mask)
    of_sites = {
        key: TrimSites(dtype="float32", name=f"{key}_trimmed")(field, mask)
        for key, field in sample.items()
        if len(field.shape) == 3
    }
    return present, of_sites


def _metric(cell: Any, mask: Any, of_cell: dict[str, Any]) -> Any:
    """What turns differences of fractional coordinates into distances in Angstrom."""
    lattice = {key: field for key, field in of_cell.items() if key == "lattice"}
    return CellMetric(cell, name="metric")({"mask": mask, **lattice})


def _restored(x: Any, sites: int, name: str) -> Any:
    """A field of all sites, 0 for those that were left out."""
    return RestoreSites(sites, dtype="float32", name=f"{name}_restored")(x)


def _whole(x: Any, vector: Any, present: Any, width: int) -> Any:
    """What the sites say of the cell: a normalised sum, since how many there are is in the vector."""
    pooled = ModulatedNormalization(name="pooled")(layers.Dot(axes=1, name="pool")([present, x]), vector)
    both = layers.Concatenate(name="both")([pooled, vector])
    return layers.Dense(width, activation="silu", name="cell_hidden")(both)


def _described(described: list[Any], vector: Any, width: int) -> Any:
    """What a site is by itself: its element, how far others are from it, and the cell that it is in."""
    x = layers.Concatenate(name="sites")(described) if len(described) > 1 else described[0]
    cell = layers.Reshape((1, width), name="cell")(layers.Dense(width, name="cell_dense")(vector))
    return layers.Add(name="sites_of_cell")([layers.Dense(width, name="dense")(x), cell])


def _block(x: Any, pairs: Any, vector: Any, present: Any, sizes: tuple[int, int, int], number: int) -> Any:
    """An attention and two dense layers, each added to what comes in."""
    width, heads, pair_width = sizes
    y = ModulatedNormalization(name=f"attention_norm_{number}")(x, vector)
    y = SiteAttention(width, heads, pair_width, name=f"attention_{number}")(y, pairs, vector, present)
    x = layers.Add(name=f"attention_add_{number}")([x, y])
    y = ModulatedNormalization(name=f"norm_{number}")(x, vector)
    y = layers.Dense(2 * width, activation="silu", name=f"hidden_{number}")(y)
    return layers.Add(name=f"add_{number}")([x, layers.Dense(width, name=f"out_{number}")(y)])


def _head(x: Any, units: int, name: str) -> Any:
    """A field's prediction, 0 before training."""
    return layers.Dense(units, kernel_initializer="zeros", dtype="float32", name=f"{name}_head")(x)
