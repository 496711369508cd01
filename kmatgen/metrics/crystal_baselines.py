"""Trivial generators of crystals, and the split of real ones: what a model's scores are read against."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kmatgen.errors import InputError
from kmatgen.metrics.crystal_keys import Key, role_keys
from kmatgen.representations.crystal_table import CrystalTable
from kmatgen.representations.elements import is_anion


def shuffled_species(table: CrystalTable, n: int | None = None, seed: int = 0) -> CrystalTable:
    """Training crystals with species exchanged within each role: a strong baseline that learned no chemistry.

    Geometry and anions stay. The first cation (see `Key`) is permuted among all crystals with as many cations, then the
    second, and so on; all atoms of an element change together. Of perovskites ABX3, A and B are shuffled.
    Crystals of one element, and those of anions only, stay as they are.

    Args:
        table: Real crystals.
        n: How many to give back, each used once before one is used twice. `None`: as many as given.
        seed: Of the draw and the permutations.
    """
    rng = np.random.default_rng(seed)
    drawn = resampled(table, n, seed)
    roles = [_roles(key) for key in role_keys(drawn)]
    numbers = np.array([len(role) for role in roles])
    species = drawn.species.copy()
    for number in set(numbers.tolist()) - {0}:
        rows = np.flatnonzero(numbers == number)
        before = np.array([roles[row] for row in rows])
        for role, column in enumerate(before.T):
            after = rng.permutation(column)
            where = drawn.species[rows] == before[:, role, None]
            species[rows] = np.where(where, after[:, None], species[rows])
    unknown = np.zeros(len(drawn), np.int16)
    return replace(drawn, species=species, space_group=unknown, properties={})


def _roles(key: Key | None) -> tuple[int, ...]:
    """The elements that may be exchanged, in order: the cations, or the metals where there are no anions."""
    if key is None or len(key.composition) < 2:
        return ()
    return key.cations or tuple(number for number, _ in key.composition if not is_anion(number))


def resampled(table: CrystalTable, n: int | None = None, seed: int = 0) -> CrystalTable:
    """Training crystals drawn at random: a generator that memorised, perfect in all but novelty.

    Args:
        table: Real crystals.
        n: How many; each crystal comes once before one comes twice. `None`: as many as given.
        seed: Of the draw.
    """
    n = len(table) if n is None else n
    if not len(table) or n < 1:
        raise InputError(f"A baseline draws one crystal or more of real ones. Received: {n} of {len(table)}.")
    rng = np.random.default_rng(seed)
    rounds = -(-n // len(table))
    return table[np.concatenate([rng.permutation(len(table)) for _ in range(rounds)])[:n]]
