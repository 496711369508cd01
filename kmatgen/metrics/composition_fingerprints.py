"""Composition as numbers: statistics of 22 properties of the elements in it (Magpie).

Ward, Agrawal, Choudhary and Wolverton, npj Comput. Mater. 2 (2016) 16028. The table of elements is SMACT's.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from kmatgen.metrics.composition_scale import DEVIATIONS, MEANS
from kmatgen.representations.crystal_table import CrystalTable, element_counts
from kmatgen.representations.elements import HEAVIEST

STATISTICS = ("minimum", "maximum", "range", "mean", "avg_dev", "mode")
PROPERTIES = (
    "Number",
    "MendeleevNumber",
    "AtomicWeight",
    "MeltingT",
    "Column",
    "Row",
    "CovalentRadius",
    "Electronegativity",
    "NsValence",
    "NpValence",
    "NdValence",
    "NfValence",
    "NValence",
    "NsUnfilled",
    "NpUnfilled",
    "NdUnfilled",
    "NfUnfilled",
    "NUnfilled",
    "GSvolume_pa",
    "GSbandgap",
    "GSmagmom",
    "SpaceGroupNumber",
)


def composition_statistics(table: CrystalTable) -> np.ndarray:
    """Six statistics of each of 22 properties over the atoms of each crystal, as matminer's Magpie preset orders them.

    Args:
        table: Crystals with elements up to berkelium (97); the table of elements knows no others.

    Returns:
        `(n, 132)`: for each of `PROPERTIES` the `STATISTICS`. The mode is the property of the most frequent element,
        the least value if there are several. Rows with other elements, or without atoms, are NaN.
    """
    counts = element_counts(table).astype(float)
    properties = element_properties()
    present = counts > 0
    usable = present.any(axis=1) & ~(present & np.isnan(properties).any(axis=1)).any(axis=1)
    statistics = np.full((len(table), len(PROPERTIES), len(STATISTICS)), np.nan)
    properties = np.nan_to_num(properties)
    shares = counts[usable] / counts[usable].sum(axis=1, keepdims=True)
    present = present[usable]
    modal = present & np.isclose(shares, shares.max(axis=1, keepdims=True, initial=0.0))
    for column, values in enumerate(properties.T):
        lowest = np.where(present, values, np.inf).min(axis=1)
        highest = np.where(present, values, -np.inf).max(axis=1)
        mean = shares @ values
        deviation = (shares * np.abs(values - mean[:, None])).sum(axis=1)
        mode = np.where(modal, values, np.inf).min(axis=1)
        statistics[usable, column] = np.stack([lowest, highest, highest - lowest, mean, deviation, mode], axis=-1)
    return statistics.reshape(len(table), -1)


def standardised(statistics: np.ndarray) -> np.ndarray:
    """Statistics as `composition_statistics` gives them, on the scale that the cut-off of coverage refers to.

    CDVAE standardised with means and deviations of its own data, whatever data are judged, so they are constants here.
    """
    return (statistics - MEANS) / DEVIATIONS


@cache
def element_properties() -> np.ndarray:
    """`(119, 22)` `PROPERTIES` of each element by atomic number, NaN where there is none."""
    from importlib.resources import files

    import pandas as pd

    with (files("smact") / "data" / "magpie.csv").open(encoding="utf-8") as file:
        rows = pd.read_csv(file, keep_default_na=False)
    properties = np.full((HEAVIEST + 1, len(PROPERTIES)), np.nan)
    properties[rows["Number"].astype(int)] = rows[list(PROPERTIES)].to_numpy(float)
    return properties
