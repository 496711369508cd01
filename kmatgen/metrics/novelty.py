"""Whether generated crystals are new, and whether they differ from each other.

Two crystals are the same if pymatgen's StructureMatcher can lay one over the other with the tolerances of the
literature: 0.3 in lengths, 0.5 in sites, 10 degrees. Of all pairs only those are laid over each other that could match:
the same formula, as many atoms in the primitive cell, about the same volume per atom; the nearest in volume first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kmatgen.metrics.crystal_validity import structurally_valid
from kmatgen.metrics.processes import in_processes
from kmatgen.representations.crystal_table import CrystalTable, reduced_counts

if TYPE_CHECKING:
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.core import Structure

_FEWEST = 64  # crystals of one formula that are worth a process: each reduces all it compares with by itself


class Matching(NamedTuple):
    """When two crystals are the same.

    Attributes:
        ltol: Fractional tolerance of lengths.
        stol: Tolerance of sites, in units of the cube root of the volume per atom.
        angle_tol: Tolerance of angles in degrees.
        volume_ratio: Crystals whose volumes per atom differ by more than this factor are different. StructureMatcher
            scales volumes to each other, so with infinity a crystal matches itself blown up.
    """

    ltol: float = 0.3
    stol: float = 0.5
    angle_tol: float = 10.0
    volume_ratio: float = 2.0


LITERATURE = Matching()
"""What counts as the same crystal in publications (but for the ratio of volumes)."""


class _Group:
    """Crystals of one formula, reduced to primitive Niggli cells when they are first needed."""

    def __init__(self, table: CrystalTable, matching: Matching) -> None:
        self.table = table
        self.matching = matching
        self.volumes = np.log(table.volume / table.n_sites)
        self.reduced: dict[int, Structure] = {}

    def structure(self, row: int) -> Structure:
        if row not in self.reduced:
            structure = self.table[[row]].structures()[0]
            self.reduced[row] = structure.get_primitive_structure().get_reduced_structure(reduction_algo="niggli")
        return self.reduced[row]

    def holds(self, structure: Structure, volume: float, rows: Iterable[int], matcher: StructureMatcher) -> bool:
        """Whether one of some rows is the same as a reduced structure."""
        rows = np.fromiter(rows, int)
        differences = np.abs(self.volumes[rows] - volume)
        near = differences <= np.log(self.matching.volume_ratio)
        for row in rows[near][np.argsort(differences[near], kind="stable")]:
            other = self.structure(int(row))
            if len(other) == len(structure) and matcher.fit(structure, other, skip_structure_reduction=True):
                return True
        return False


def novel(
    generated: CrystalTable, training: CrystalTable, matching: Matching = LITERATURE, jobs: int = 1
) -> np.ndarray:
    """Which generated crystals match none of the training data.

    Args:
        generated: Generated crystals; structurally invalid ones are not novel.
        training: Real crystals.
        matching: When two are the same.
        jobs: Processes, 1 or more.

    Returns:
        `(n,)` boolean.
    """
    known = training[structurally_valid(training)]
    places: dict[tuple, list[int]] = {}
    for row, formula in enumerate(_formulas(known)):
        places.setdefault(formula, []).append(row)
    valid = np.flatnonzero(structurally_valid(generated))
    result = np.zeros(len(generated), bool)
    result[valid] = True
    tasks: dict[tuple, list[int]] = {}
    for row, formula in zip(valid.tolist(), _formulas(generated[valid]), strict=True):
        if formula in places:
            tasks.setdefault(formula, []).append(row)
    size = max(_FEWEST, -(-len(valid) // max(1, jobs)))
    parts = [
        (rows[start : start + size], formula) for formula, rows in tasks.items() for start in range(0, len(rows), size)
    ]
    found = in_processes(
        _unmatched, [(generated[rows], known[places[formula]], matching) for rows, formula in parts], jobs
    )
    for (rows, _), flags in zip(parts, found, strict=True):
        result[rows] = flags
    return result


def unique(generated: CrystalTable, matching: Matching = LITERATURE, jobs: int = 1) -> np.ndarray:
    """Which generated crystals match none that comes before them; arguments as `novel`.

    Returns:
        `(n,)` boolean; structurally invalid crystals are not unique.
    """
    valid = np.flatnonzero(structurally_valid(generated))
    groups: dict[tuple, list[int]] = {}
    for row, formula in zip(valid.tolist(), _formulas(generated[valid]), strict=True):
        groups.setdefault(formula, []).append(row)
    result = np.zeros(len(generated), bool)
    found = in_processes(_first_of_their_kind, [(generated[rows], matching) for rows in groups.values()], jobs)
    for rows, flags in zip(groups.values(), found, strict=True):
        result[rows] = flags
    return result


def _formulas(table: CrystalTable) -> list[tuple[int, ...]]:
    return [tuple(row) for row in reduced_counts(table).tolist()]


def _unmatched(generated: CrystalTable, known: CrystalTable, matching: Matching) -> np.ndarray:
    matcher, candidates, own = structure_matcher(matching), _Group(known, matching), _Group(generated, matching)
    everything = range(len(known))
    return np.array(
        [
            not candidates.holds(own.structure(row), own.volumes[row], everything, matcher)
            for row in range(len(generated))
        ]
    )


def _first_of_their_kind(generated: CrystalTable, matching: Matching) -> np.ndarray:
    matcher, group = structure_matcher(matching), _Group(generated, matching)
    kept: list[int] = []
    for row in range(len(generated)):
        if not kept or not group.holds(group.structure(row), group.volumes[row], kept, matcher):
            kept.append(row)
    return np.isin(np.arange(len(generated)), kept)


def structure_matcher(matching: Matching = LITERATURE) -> StructureMatcher:
    """The matcher of pymatgen with these tolerances."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    return StructureMatcher(ltol=matching.ltol, stol=matching.stol, angle_tol=matching.angle_tol)
