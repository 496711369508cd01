"""The denoiser that suits crystals: an MLP where each site has a role, a transformer where sites are a set."""

from __future__ import annotations

import keras

from kmatgen.errors import InputError
from kmatgen.networks.conditions import Conditions
from kmatgen.networks.film import film_mlp
from kmatgen.networks.sets import site_transformer


def crystal_denoiser(
    sample_shape: dict[str, tuple[int, ...]],
    width: int | None = None,
    blocks: int = 4,
    period: float = 4.0,
    condition: Conditions = None,
    name: str = "denoiser",
) -> keras.Model:
    """`film_mlp` for fields that are vectors, `site_transformer` for coordinates `(sites, 3)`.

    Args:
        sample_shape: Shape of each field by name.
        width: Units of a block, or channels of a site. `None`: 256 and 128.
        blocks: Number of blocks.
        period: Length of a cell edge in the scale of `coords`, for sets of sites.
        condition: See `kmatgen.networks.conditions`.
        name: Name of the network.

    Raises:
        InputError: The samples have no coordinates: they are no crystals.
    """
    if not isinstance(sample_shape, dict) or "coords" not in sample_shape:
        raise InputError(f"Crystals are told by fields, coords among them. Received: samples of {sample_shape!r}.")
    if len(sample_shape["coords"]) == 2:
        return site_transformer(sample_shape, width or 128, blocks, period=period, condition=condition, name=name)
    return film_mlp(sample_shape, width or 256, blocks, condition=condition, name=name)
