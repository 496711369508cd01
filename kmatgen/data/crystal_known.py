"""A crystal that is given to a model: to begin near it, or to hold some of it, in Angstrom and sites of the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kmatgen.data.crystal_source import CrystalSource
from kmatgen.data.crystals import read_crystals
from kmatgen.errors import InputError
from kmatgen.representations.active import active_places
from kmatgen.representations.crystal_table import CrystalTable, lattice_matrix
from kmatgen.representations.point_cloud import PointCloud

if TYPE_CHECKING:
    from pymatgen.core import Structure

# What to hold of a crystal: the lattice, and species or coordinates of all sites (True) or of those with these indices.
Hold = Mapping[str, bool | Sequence[int]]
EVERYTHING: Hold = dict.fromkeys(PointCloud.FIELDS, True)
_NEAR = 0.01  # Angstrom


def read_known(path: str | Path) -> Structure:
    """The crystal of a file: CIF, POSCAR or pymatgen JSON, in the cell that it stands in.

    Raises:
        InputError: There is no such file, or another number of crystals than one in it.
    """
    table = read_crystals(path, symprec=None, duplicates=True, strict=True).table
    if not Path(path).is_file() or len(table) != 1:
        raise InputError(f"A crystal to begin with is a file of one. Received: {path} with {len(table)}.")
    return table.structures()[0]


def parse_hold(words: Sequence[str]) -> Hold:
    """What to hold of a crystal as it is written: `["lattice", "coords=0,3"]` is all of the lattice, and two sites.

    Raises:
        InputError: It is written otherwise.
    """
    found: dict[str, bool | list[int]] = {}
    for word in words:
        name, given, indices = word.partition("=")
        try:
            found[name] = [int(index) for index in indices.split(",")] if given else True
        except ValueError as error:
            raise InputError(
                f"What is held is written like lattice, species or coords=0,3. Received: {word!r}."
            ) from error
    return found


def known_crystal(
    crystals: CrystalSource, structure: Structure, hold: Hold = EVERYTHING
) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """A crystal as `generate` of a diffusion takes it for `fixed` or `near`.

    Args:
        crystals: The data that the model was trained on.
        structure: The crystal, in the cell that generated ones are to have.
        hold: What is known of it: `lattice`, `species` and `coords`, each True for all of it; for species and
            coordinates also a list of indices of the structure's sites. What is left out is NaN, to be made.

    Returns:
        The fields on the scale of training, and the mask of sites `(sites,)`, which of models of sets of sites is an
        entry of the condition; None for others.

    Raises:
        InputError: The crystal does not fit the data, or `hold` is something else.
    """
    if crystals.are_tensors:
        raise InputError("A crystal can be given to models of point clouds. Received: a model of CrysTens.")
    cloud = crystals.representation
    if len(structure) > cloud.sites or (len(structure) < cloud.sites and not crystals.are_sets):
        most = "at most " if crystals.are_sets else ""
        raise InputError(f"Crystals of these data have {most}{cloud.sites} sites. Received: one of {len(structure)}.")
    table = CrystalTable.from_structures([structure], origin=["the crystal given"]).with_sites(cloud.sites)
    fields = {name: values[0] for name, values in crystals.fields(table).items()}
    # The representation puts sites in an order of its own.
    rows = cloud.site_rows(table)[0]
    held = {name: np.zeros(shape, bool) for name, shape in cloud.shapes.items() if name in cloud.FIELDS}
    for name, which in _checked(hold, len(structure)).items():
        held[name][...] = True if which is True else np.isin(rows, which)[:, None]
    _check_it_comes_back(crystals, table, rows, held)
    if not crystals.are_sets:
        held = {name: held[name].ravel()[places] for name, places in active_places(cloud).items()}
    known = {name: np.where(held[name], values, np.nan).astype(np.float32) for name, values in fields.items()}
    return known, table.mask[0].astype(np.float32) if crystals.are_sets else None


def _checked(hold: Hold, sites: int) -> dict[str, bool | np.ndarray]:
    """What is held, by field: True, or indices of sites."""
    found: dict[str, bool | np.ndarray] = {}
    for name, which in hold.items():
        listed = [] if isinstance(which, bool) else np.asarray(which).ravel().tolist()
        fits = all(isinstance(index, int) and 0 <= index < sites for index in listed)
        if name not in PointCloud.FIELDS or not fits or (name == "lattice" and not isinstance(which, bool)):
            raise InputError(
                f"What is held of a crystal is its lattice, species or coords: True, or indices of sites from 0 to "
                f"{sites - 1} of the last two. Received: {name}={which!r}."
            )
        found |= {name: True} if which is True else {name: np.asarray(listed, int)} if listed else {}
    return found


def _check_it_comes_back(
    crystals: CrystalSource, table: CrystalTable, rows: np.ndarray, held: dict[str, np.ndarray]
) -> None:
    """Refuse to hold what a model cannot make: where all training crystals are alike and this one is not."""
    cloud = crystals.representation
    made = {name: values[0] for name, values in cloud.from_arrays(cloud.encode(table)).items()}
    there, matrix = table.mask[0][rows], lattice_matrix(table.lattice)[0]
    away = made["coords"] - table.coords[0, rows]
    differs = {
        "lattice": np.abs(lattice_matrix(made["lattice"][None])[0] - matrix).max() > _NEAR,
        "species": there & (made["species"] != table.species[0, rows]),
        "coords": there & (np.linalg.norm((away - np.round(away)) @ matrix, axis=1) > _NEAR),
    }
    for name, other in differs.items():
        of_sites = held[name].any() if name == "lattice" else held[name].any(axis=1)
        if np.any(other & of_sites):
            raise InputError(
                f"What all training crystals have in common cannot be made otherwise; leave {name} free. "
                f"Received: a crystal that differs from them in its {name}."
            )
