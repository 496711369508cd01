"""Fingerprints of crystals: the numbers by which coverage says how near two crystals are."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kmatgen.errors import InputError
from kmatgen.files import completed
from kmatgen.metrics.composition_fingerprints import composition_statistics, standardised
from kmatgen.metrics.coordination import covalent_radii, neighbour_shells
from kmatgen.metrics.crystal_coverage import Fingerprints
from kmatgen.metrics.crystal_validity import well_formed
from kmatgen.metrics.order_parameters import local_order, motifs
from kmatgen.metrics.processes import in_processes
from kmatgen.representations.crystal_table import CrystalTable
from kmatgen.representations.elements import HEAVIEST

MOST_NEIGHBOURS = 24
BACKENDS = ("kmatgen", "matminer")
_BLOCK = 64  # crystals whose faces are weighed at a time
_LEAST_VOLUME = 0.1  # cubic Angstrom, as in the definition of validity; thinner cells have endless neighbours
_VERSION = 1  # of what is computed: raise it and old cache files are not read any more


def fingerprint_crystals(
    table: CrystalTable, jobs: int = 1, cache: str | Path | None = None, backend: str = "kmatgen"
) -> Fingerprints:
    """Structure and composition fingerprints, as `coverage` compares them.

    Args:
        table: Crystals; rows that have none (no valid cell, no closed Voronoi cell, elements beyond curium) are NaN.
        jobs: Processes that compute order parameters, 1 or more.
        cache: Folder in which they are kept by the content of the crystal, so that each is computed once.
        backend: `"kmatgen"`, or `"matminer"` where that is installed: the same numbers, slower.

    Raises:
        InputError: There is no such backend, or it is not installed.
    """
    structure = structure_fingerprints(table, jobs, cache, backend)
    return Fingerprints(structure, standardised(composition_statistics(table)))


def structure_fingerprints(
    table: CrystalTable, jobs: int = 1, cache: str | Path | None = None, backend: str = "kmatgen"
) -> np.ndarray:
    """CrystalNN order parameters, mean over sites: matminer's "ops" preset.

    For 1 to 24 neighbours the probability that an atom has so many, and its product with each order parameter of that
    number (`order_parameters.motifs`). Arguments and errors as `fingerprint_crystals`.

    Against matminer 0.10.1: of 120 crystals of perov_5 119 agree to 3e-9 in all values and one to .004, where two
    neighbours are opposite each other to within rounding, so that the azimuth of one is noise; 60 of carbon_24 agree
    to 1e-15; 28 and 49 times as fast.

    Returns:
        `(n, 61)`, NaN where a crystal has none.
    """
    if backend not in BACKENDS:
        raise InputError(f"Backends of fingerprints are: {', '.join(BACKENDS)}. Received: {backend!r}.")
    compute = _matminer() if backend == "matminer" else _ops
    digests = np.array(crystal_digests(table))
    kept = _read(cache, backend)
    distinct, first = np.unique(digests, return_index=True)
    missing = np.array([row for digest, row in zip(distinct, first, strict=True) if digest not in kept], int)
    if len(missing):
        missing.sort()
        blocks = [(table[missing[start : start + _BLOCK]],) for start in range(0, len(missing), _BLOCK)]
        found = np.concatenate(in_processes(compute, blocks, jobs))
        kept |= dict(zip(digests[missing], found, strict=True))
        _write(cache, backend, kept)
    return np.array([kept[digest] for digest in digests]).reshape(len(table), _columns()[-1])


def crystal_digests(table: CrystalTable) -> list[str]:
    """A hash of each crystal's lattice, species and coordinates in the cell, to 1e-9; the order of sites counts."""
    digests = []
    for lattice, species, coords, mask in zip(table.lattice, table.species, table.coords, table.mask, strict=True):
        with np.errstate(invalid="ignore"):
            wrapped = np.round(coords[mask], 9) % 1.0
        numbers = np.concatenate([np.round(lattice, 9), wrapped.ravel()]) + 0.0  # + 0.0: no negative zero
        digests.append(hashlib.blake2b(species[mask].tobytes() + numbers.tobytes(), digest_size=16).hexdigest())
    return digests


def _ops(table: CrystalTable) -> np.ndarray:
    """The fingerprints of a block of crystals."""
    fingerprints = np.full((len(table), _columns()[-1]), np.nan)
    rows = np.flatnonzero(_usable(table))
    crystals = [
        (matrix, species[mask], coords[mask])
        for matrix, species, coords, mask in zip(
            table.matrix[rows], table.species[rows], table.coords[rows], table.mask[rows], strict=True
        )
    ]
    shells, closed = neighbour_shells(crystals)
    atoms = _site_fingerprints(shells.atom, shells.direction, shells.weight, sum(len(one[1]) for one in crystals))
    ends = np.cumsum([len(species) for _, species, _ in crystals])
    for row, end, whole, (_, species, _) in zip(rows, ends, closed, crystals, strict=True):
        if whole:
            fingerprints[row] = atoms[end - len(species) : end].mean(axis=0)
    return fingerprints


def _usable(table: CrystalTable) -> np.ndarray:
    """`(n,)`: whether a crystal has a cell with a volume, and all its elements a radius."""
    usable = well_formed(table)
    usable &= ~np.isnan(np.where(table.mask, covalent_radii()[np.clip(table.species, 0, HEAVIEST)], 0.0)).any(axis=1)
    usable[usable] = table.volume[usable] >= _LEAST_VOLUME
    return usable


def _columns() -> np.ndarray:
    """Where the values for each number of neighbours start, from 1 to 24, and their total."""
    sizes = [1 + len(motifs().get(number, ())) for number in range(1, MOST_NEIGHBOURS + 1)]
    return np.concatenate([[0], np.cumsum(sizes)])


def _site_fingerprints(atom: np.ndarray, direction: np.ndarray, weight: np.ndarray, n: int) -> np.ndarray:
    """`(n, 61)` fingerprints of atoms from their weighted neighbours, which come by atom and by falling weight."""
    columns = _columns()
    fingerprints = np.zeros((n, columns[-1]))
    starts = np.searchsorted(atom, np.arange(n))
    place = np.arange(len(atom)) - starts[atom]
    following = np.append(weight[1:], 0.0) * np.append(atom[1:] == atom[:-1], False)
    last = following < weight  # of neighbours that are equally sure
    probability = _below_semicircle(weight) - _below_semicircle(following)
    for number in range(1, MOST_NEIGHBOURS + 1):
        rows = np.flatnonzero(last & (place == number - 1))
        here, chance, start = atom[rows], probability[rows], columns[number - 1]
        fingerprints[here, start] = chance
        if number in motifs() and len(rows):
            neighbours = direction[starts[here][:, None] + np.arange(number)]
            fingerprints[here, start + 1 : columns[number]] = chance[:, None] * local_order(neighbours)
    return fingerprints


def _below_semicircle(x: np.ndarray) -> np.ndarray:
    """The share of a quarter of the unit circle that lies left of x: CrystalNN's scale of probability."""
    return (x * np.sqrt(1.0 - x**2) + np.arcsin(x)) / (np.pi / 2.0)


def _matminer() -> Callable[[CrystalTable], np.ndarray]:
    try:
        from matminer.featurizers.site import CrystalNNFingerprint
    except ImportError as error:
        raise InputError(
            "The backend 'matminer' needs that package, 0.10.1 or newer with pandas below 3: "
            'pip install "matminer>=0.10.1" "pandas<3". Received: no such package.'
        ) from error
    return _MatminerOps(CrystalNNFingerprint.from_preset("ops"))


class _MatminerOps:
    """matminer's fingerprints of a block of crystals, under the conditions of ours."""

    def __init__(self, featurizer: object) -> None:
        self.featurizer = featurizer

    def __call__(self, table: CrystalTable) -> np.ndarray:
        fingerprints = np.full((len(table), _columns()[-1]), np.nan)
        rows = np.flatnonzero(_usable(table))
        for row, structure in zip(rows, table[rows].structures(), strict=True):
            try:
                sites = [self.featurizer.featurize(structure, site) for site in range(len(structure))]
            except (RuntimeError, ValueError):  # an open Voronoi cell
                continue
            fingerprints[row] = np.mean(sites, axis=0)
        return fingerprints


def _read(cache: str | Path | None, backend: str) -> dict[str, np.ndarray]:
    file = _file(cache, backend)
    if file is None or not file.exists():
        return {}
    with np.load(file, allow_pickle=False) as kept:
        return dict(zip(kept["digests"].tolist(), kept["fingerprints"], strict=True))


def _write(cache: str | Path | None, backend: str, kept: dict[str, np.ndarray]) -> None:
    """Keep fingerprints, and those that another process kept meanwhile; the file is replaced as a whole."""
    file = _file(cache, backend)
    if file is None:
        return
    kept = _read(cache, backend) | kept
    with completed(file) as partial:
        np.savez(partial, digests=np.array(list(kept)), fingerprints=np.array(list(kept.values())))


def _file(cache: str | Path | None, backend: str) -> Path | None:
    return None if cache is None else Path(cache) / f"crystal-{backend}-{_VERSION}.npz"
