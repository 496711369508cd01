"""The composition of a crystal as a matrix of elements and numbers of atoms."""

from __future__ import annotations

from typing import Any

import numpy as np

from kmatgen.errors import InputError
from kmatgen.registry import register
from kmatgen.representations.base import Representation, check_elements
from kmatgen.representations.crystal_table import CrystalTable, element_counts


@register("representation")
class Composition(Representation):
    """`(elements, most + 1)`: in the row of each element that the training data has, 1 at the number of its atoms.

    It keeps how many atoms of each element are in the cell, and loses lattice, positions and space group. In decoding,
    the largest entry of a row counts. So that the composition has a table to stand in, the lattice is a cube of the
    training crystals' mean volume an atom and all sites are at the origin: judge nothing but the composition by it.

    Args:
        sites: Room for this many sites. `None`: as many as the largest training crystal has.
        ranges: What `fit` learned.

    Source: the matrix is that of Dan et al., npj Comput. Mater. 2020, 6, 84, with a column for no atom.
    """

    keeps = "the number of atoms of each element"

    @property
    def shapes(self) -> tuple[int, ...]:
        self.check_fitted()
        return (len(self.ranges["elements"]), self.ranges["most"] + 1)

    def learn(self, table: CrystalTable) -> dict[str, Any]:
        elements = np.unique(table.species[table.mask])
        volume = float(np.mean(table.volume / table.n_sites))
        return {"elements": elements.tolist(), "most": int(element_counts(table).max()), "volume": volume}

    def to_arrays(self, table: CrystalTable) -> np.ndarray:
        check_elements(table, self.ranges["elements"])
        counts = element_counts(table)[:, self.ranges["elements"]]
        self._check_counts(table, counts)
        return counts[..., None] == np.arange(self.ranges["most"] + 1)

    def from_arrays(self, arrays: np.ndarray) -> dict[str, np.ndarray]:
        counts = arrays.argmax(axis=-1)
        total = counts.sum(axis=1)
        room = int(max(self.sites, total.max(initial=0)))
        # Site s holds the first element of which, with those before it, there are more than s atoms.
        which = (np.arange(room)[:, None] >= counts.cumsum(axis=1)[:, None]).sum(axis=-1)
        elements = np.append(self.ranges["elements"], 0)
        edge = np.cbrt(self.ranges["volume"] * np.maximum(total, 1))
        return {
            "lattice": np.concatenate([np.repeat(edge[:, None], 3, axis=1), np.full((len(total), 3), 90.0)], axis=1),
            "species": elements[which],
            "coords": np.zeros((len(total), room, 3)),
        }

    def _check_counts(self, table: CrystalTable, counts: np.ndarray) -> None:
        beyond = np.flatnonzero(counts.max(axis=1, initial=0) > self.ranges["most"])
        if len(beyond):
            raise InputError(
                f"A composition holds up to {self.ranges['most']} atoms of an element, as the training crystals do. "
                f"Received: {table.origin[beyond[0]]} with {counts[beyond[0]].max()}."
            )
