"""Made-up crystals for the tests of representations."""

from dataclasses import replace

import numpy as np

from kmatgen.representations import CrystalTable
from kmatgen.representations.crystal_table import lattice_volume


def triclinic(n=12, sites=6, varying=True, elements=(3, 8, 14, 22, 57, 83), seed=0):
    """Random triclinic cells with 2 to `sites` sites, or exactly so many."""
    rng = np.random.default_rng(seed)
    lattice = np.concatenate([rng.uniform(3, 9, (20 * n, 3)), rng.uniform(60, 120, (20 * n, 3))], axis=1)
    lattice = lattice[lattice_volume(lattice) > 0.4 * lattice[:, :3].prod(axis=1)][:n]
    counts = rng.integers(2, sites + 1, n) if varying else np.full(n, sites)
    counts[0] = sites
    here = np.arange(sites) < counts[:, None]
    species = np.where(here, rng.choice(elements, (n, sites)), 0)
    coords = np.where(here[..., None], rng.random((n, sites, 3)), 0.0)
    return CrystalTable(lattice, species, coords, rng.integers(1, 231, n))


def perovskites(n=40, seed=0):
    """Cubic ABX3 cells with x displaced, their sites shuffled."""
    rng = np.random.default_rng(seed)
    a = rng.uniform(3.5, 5, n)
    lattice = np.stack([a, a, a, *[np.full(n, 90.0)] * 3], axis=1)
    anions = np.where(rng.random((n, 3)) < 0.2, 7, 8)
    species = np.concatenate([rng.choice([20, 38, 56], (n, 1)), rng.choice([22, 40, 41], (n, 1)), anions], axis=1)
    ideal = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    coords = np.repeat(ideal[None], n, axis=0)
    coords[..., 0] += rng.uniform(-0.1, 0.1, (n, 5))
    shuffled = rng.permuted(np.tile(np.arange(5), (n, 1)), axis=1)
    species = np.take_along_axis(species, shuffled, axis=1)
    coords = np.take_along_axis(coords, shuffled[..., None], axis=1)
    return CrystalTable(lattice, species, coords % 1.0, np.ones(n))


def largest_coordinate_error(found, expected):
    """In fractions of a cell, over whole cells."""
    difference = found.coords - expected.coords
    return np.abs(difference - np.round(difference)).max()


def from_first_site(table):
    """The same crystals with their first site at the origin."""
    moved = np.where(table.mask[..., None], (table.coords - table.coords[:, :1]) % 1.0, 0.0)
    return replace(table, coords=moved)
