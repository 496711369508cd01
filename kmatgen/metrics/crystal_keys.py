"""What a crystal is, regardless of its numbers: a key by which generated crystals find their like in data.

A formula is too coarse a key: perovskites ABX3 and BAX3 share one, and independent sampling of species already puts a
third of the formulas of perov_5 into the training data. The key says which element plays which role.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from kmatgen.metrics.crystal_validity import structurally_valid
from kmatgen.representations.crystal_table import CrystalTable, element_counts, reduced_counts
from kmatgen.representations.distances import periodic_distances
from kmatgen.representations.elements import is_anion


class Key(NamedTuple):
    """Which elements, how many of each in a formula unit, and which of them plays which role.

    Attributes:
        composition: (atomic number, count per formula unit), sorted.
        cations: Atomic numbers of the other elements than anions, from the one farthest from its farthest anion to the
            nearest. Empty where there is at most one, or no anion.
    """

    composition: tuple[tuple[int, int], ...]
    cations: tuple[int, ...]


def role_keys(table: CrystalTable) -> list[Key | None]:
    """The key of each crystal; of a perovskite ABX3 it tells A, B and the set of anions, but not where those sit.

    Measured on the 3,787 strongly distorted perovskites of perov_5/train.csv: cations come as A, B in all of them.

    Returns:
        `None` where atoms or cell are not valid: such a crystal has no neighbours to speak of.
    """
    keys: list[Key | None] = [None] * len(table)
    rows = np.flatnonzero(structurally_valid(table))
    table = table[rows]
    for row, composition, cations in zip(rows, _compositions(table), _cation_orders(table), strict=True):
        keys[row] = Key(composition, cations)
    return keys


def _compositions(table: CrystalTable) -> list[tuple[tuple[int, int], ...]]:
    counts = reduced_counts(table)
    return [tuple((int(number), int(row[number])) for number in np.flatnonzero(row)) for row in counts]


def _cation_orders(table: CrystalTable) -> list[tuple[int, ...]]:
    anion = is_anion(table.species) & table.mask
    cation = ~anion & table.mask
    orders: list[tuple[int, ...]] = [()] * len(table)
    rows = np.flatnonzero(anion.any(axis=1) & (cation.sum(axis=1) > 1))
    farthest = np.where(anion[rows, None], periodic_distances(table[rows]), 0.0).max(axis=2)
    for row, distances in zip(rows, farthest, strict=True):
        species = table.species[row]
        elements = np.unique(species[cation[row]]).tolist()
        if len(elements) > 1:
            reach = [distances[species == element].max() for element in elements]
            orders[row] = tuple(elements[index] for index in np.argsort(np.negative(reach), kind="stable"))
    return orders


def key_overlap(keys: Collection[Key | None], others: Collection[Key | None]) -> float:
    """Share of crystals whose key is among the others', in [0, 1]; crystals without a key are not."""
    known = set(others) - {None}
    return sum(key in known for key in keys) / max(1, len(keys))


def excess_overlap(
    generated: Collection[Key | None], training: Collection[Key | None], held_out: Collection[Key | None]
) -> float:
    """Memorisation: by how much the overlap with training keys exceeds what held-out keys let expect.

    A model that learned the distribution meets training and held-out keys equally often, in proportion to their number;
    so the overlap with held-out keys, scaled to the number of training keys, is what is expected.

    Returns:
        A difference of shares; 0 without memorisation, near 1 for a copy of the training data.
    """
    sizes = [len(set(keys) - {None}) for keys in (training, held_out)]
    expected = key_overlap(generated, held_out) * sizes[0] / max(1, sizes[1])
    return key_overlap(generated, training) - min(1.0, expected)


class LatticeError(NamedTuple):
    """aMAE and how many of the generated crystals it is the mean of."""

    error: float
    matched: int


def lattice_error(
    generated: CrystalTable, reference: CrystalTable, keys: list[Key | None], reference_keys: list[Key | None]
) -> LatticeError:
    """aMAE: mean absolute error of the lattice constant against real crystals of the same key, in Angstrom.

    The lattice constant is the cube root of the volume per formula unit, which is a in the cubic perovskites and does
    not depend on the choice of cell. Where several real crystals share a key the nearest one counts. It tells a model
    that learned how size follows from species from one that merely shuffles them.

    Args:
        generated: Generated crystals.
        reference: Real crystals that the model has not seen.
        keys: Keys of `generated`, from `role_keys`.
        reference_keys: Keys of `reference`.

    Returns:
        The error, NaN if no key is shared, and the number of generated crystals whose key is.
    """
    known: dict[Key, list[float]] = {}
    for key, length in zip(reference_keys, formula_lengths(reference), strict=True):
        if key is not None:
            known.setdefault(key, []).append(length)
    errors = [
        np.abs(np.array(known[key]) - length).min()
        for key, length in zip(keys, formula_lengths(generated), strict=True)
        if key in known
    ]
    return LatticeError(float(np.mean(errors)) if errors else float("nan"), len(errors))


def formula_lengths(table: CrystalTable) -> np.ndarray:
    """`(n,)` cube root of the volume per reduced formula unit, Angstrom."""
    units = np.gcd.reduce(element_counts(table), axis=1)
    with np.errstate(invalid="ignore"):
        return np.cbrt(table.volume / np.maximum(units, 1))
