"""Whether atoms stand at the distances of bonds: not inside each other, and none of them alone."""

from __future__ import annotations

import numpy as np

from kmatgen.metrics.coordination import covalent_radii
from kmatgen.metrics.crystal_validity import structurally_valid
from kmatgen.representations.crystal_table import CrystalTable
from kmatgen.representations.distances import periodic_distances


def bond_lengths_valid(table: CrystalTable, shortest: float = 0.7, longest: float = 1.5) -> np.ndarray:
    """Whether every atom's nearest neighbour is about as far as the covalent radii of the two say.

    A finer sieve than `structurally_valid`. With the defaults 99.0 % of the real perovskites of perov_5/train.csv
    pass (n = 3,787), 90.1 % of the same with A and B shuffled, and all carbon crystals of carbon_24/train.csv.

    Args:
        table: Crystals; structurally invalid ones, and those with elements beyond curium, do not pass.
        shortest: Least distance, as a share of the sum of the covalent radii.
        longest: Largest distance, likewise.

    Returns:
        `(n,)` boolean.
    """
    bonds = nearest_bonds(table)
    return ((bonds >= shortest) & (bonds <= longest)).all(axis=1)


def nearest_bonds(table: CrystalTable) -> np.ndarray:
    """The distance of each atom to the neighbour that is nearest in units of the sum of the two covalent radii.

    Returns:
        `(n, sites)` in that unit, 1 where there is no site, NaN in crystals that are structurally invalid.
    """
    bonds = np.full(table.species.shape, np.nan)
    rows = np.flatnonzero(structurally_valid(table))
    table = table[rows]
    radii = covalent_radii()[table.species]
    relative = periodic_distances(table) / (radii[:, :, None] + radii[:, None])
    relative[~(table.mask[:, :, None] & table.mask[:, None])] = np.inf
    bonds[rows] = np.where(table.mask, relative.min(axis=2, initial=np.inf), 1.0)
    return bonds
