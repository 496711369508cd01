"""Distributions of generated against real crystals: density, number of elements, elements, space groups."""

from __future__ import annotations

import numpy as np

from kmatgen.errors import InputError
from kmatgen.metrics.crystal_validity import well_formed
from kmatgen.representations.crystal_table import CrystalTable, element_counts
from kmatgen.representations.space_groups import with_space_groups


def density_distance(
    generated: CrystalTable, reference: CrystalTable, samples: int | None = 1000, draws: int = 16, seed: int = 0
) -> float:
    """Wasserstein-1 distance between the distributions of mass density, in g / cm^3; arguments as `mean_distance`."""
    return mean_distance(generated.density, reference.density, samples, draws, seed)


def element_number_distance(
    generated: CrystalTable, reference: CrystalTable, samples: int | None = 1000, draws: int = 16, seed: int = 0
) -> float:
    """Wasserstein-1 distance between the distributions of the number of elements; arguments as `mean_distance`."""
    return mean_distance(element_numbers(generated), element_numbers(reference), samples, draws, seed)


def element_numbers(table: CrystalTable) -> np.ndarray:
    """`(n,)` how many elements each crystal has."""
    return (element_counts(table) > 0).sum(axis=1)


def mean_distance(
    generated: np.ndarray, reference: np.ndarray, samples: int | None = 1000, draws: int = 16, seed: int = 0
) -> float:
    """Wasserstein-1 distance between two samples of a number.

    Published values take 1000 generated crystals; their number decides how low the distance of equal distributions
    is, so more would not be comparable. Fewer are taken as they are.

    Args:
        generated: `(n,)` values; those that are not finite are left out.
        reference: `(m,)` values, likewise.
        samples: How many of `generated` are drawn, without replacement. `None`: all.
        draws: How many times they are drawn; the mean over draws is as large as for one draw, but less noisy.
        seed: Of the draws.

    Returns:
        The distance in the unit of the values; NaN if a side has none.
    """
    from scipy.stats import wasserstein_distance

    generated, reference = (np.asarray(side, np.float64) for side in (generated, reference))
    generated, reference = generated[np.isfinite(generated)], reference[np.isfinite(reference)]
    if not len(generated) or not len(reference):
        return float("nan")
    if samples is None or len(generated) <= samples:
        return float(wasserstein_distance(generated, reference))
    rng = np.random.default_rng(seed)
    drawn = [rng.choice(generated, samples, replace=False) for _ in range(draws)]
    return float(np.mean([wasserstein_distance(values, reference) for values in drawn]))


def element_shares(table: CrystalTable) -> np.ndarray:
    """`(119,)` share of all atoms by atomic number."""
    counts = element_counts(table).sum(axis=0)
    return counts / max(1, counts.sum())


def space_groups(table: CrystalTable, tolerance: float = 0.1) -> np.ndarray:
    """The space group of each crystal as it is, found by moyopy, whatever number the table carries.

    Args:
        table: Crystals.
        tolerance: Largest displacement in Angstrom by which a site may miss its symmetric place. Generated crystals are
            never exact, so a fine tolerance finds P1.

    Returns:
        `(n,)` international number, 0 where none could be found.
    """
    numbers = np.zeros(len(table), np.int16)
    rows = np.flatnonzero(well_formed(table))
    numbers[rows] = with_space_groups(table[rows], symprec=tolerance).space_group
    return numbers


def total_variation(generated: np.ndarray, reference: np.ndarray) -> float:
    """Half the summed absolute difference of two distributions over the same classes, 0 to 1.

    Raises:
        InputError: The classes differ in number.
    """
    generated, reference = np.asarray(generated, np.float64), np.asarray(reference, np.float64)
    if generated.shape != reference.shape:
        shapes = f"{generated.shape} and {reference.shape}"
        raise InputError(f"Two distributions are compared over the same classes. Received: shapes {shapes}.")
    return float(0.5 * np.abs(generated - reference).sum())


def space_group_shares(numbers: np.ndarray) -> np.ndarray:
    """`(231,)` share of crystals by space-group number; 0 stands for "none found"."""
    return np.bincount(numbers, minlength=231) / max(1, len(numbers))
