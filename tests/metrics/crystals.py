"""Crystals whose scores can be worked out by hand, and the real ones."""

from pathlib import Path

import gemmi
import numpy as np
import pandas as pd
import pytest

from kmatgen.representations import CrystalTable

DATA = Path(__file__).parents[3] / "shared" / "data"
PEROVSKITE = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]


def cubic(lengths, species, coords):
    """Cubic cells of the given edges, all with the same coordinates."""
    lengths, species = np.atleast_1d(lengths), np.atleast_2d(species)
    lattice = np.tile([0, 0, 0, 90.0, 90, 90], (len(lengths), 1))
    lattice[:, :3] = lengths[:, None]
    coords = np.tile(np.asarray(coords, float), (len(lengths), 1, 1))
    return CrystalTable(lattice, species, coords, np.zeros(len(lengths), int))


def perovskites(lengths, species):
    return cubic(lengths, species, PEROVSKITE)


def broken(table):
    """The table with four bad rows behind it: NaN lattice, infinite coordinate, impossible angles, no atoms."""
    bad = table[np.zeros(4, int)]
    bad.lattice[0, 0] = np.nan
    bad.coords[1, 0, 0] = np.inf
    bad.lattice[2, 3:] = 150
    bad.species[3] = 0
    return CrystalTable.concatenate([table, bad])


def real(name):
    """Crystals of `shared/data/NAME/train.csv`; the test is skipped where they are absent."""
    file = DATA / name / "train.csv"
    if not file.exists():
        pytest.skip(f"needs {name}")
    cells = [
        gemmi.make_small_structure_from_block(gemmi.cif.read_string(text).sole_block())
        for text in pd.read_csv(file)["cif"]
    ]
    n, sites = len(cells), max(len(cell.sites) for cell in cells)
    species, coords = np.zeros((n, sites), int), np.zeros((n, sites, 3))
    for row, cell in enumerate(cells):
        species[row, : len(cell.sites)] = [site.element.atomic_number for site in cell.sites]
        coords[row, : len(cell.sites)] = [[*site.fract] for site in cell.sites]
    lattice = np.array([cell.cell.parameters for cell in cells])
    return CrystalTable(lattice, species, coords, np.zeros(n, int))
