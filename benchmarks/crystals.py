"""Crystals from CIF text to training arrays, and back: against pymatgen's parser and Python loops over atoms.

(a) CIF text to a table, to CrysTens tensors and to the fields of a point cloud, on one core (processor time), with the
space groups that the files declare; (b) the same to a table with space groups found, moyopy against spglib through
pymatgen; (c) two processes against one on twenty times as many crystals; (d) 1,000 tensors decoded; (e) whole files.

    python benchmarks/crystals.py perov_5/train.csv --rounds 3
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from functools import partial

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from turns import Work, machine, take_turns

import kmatgen as kg
from kmatgen.data.crystal_entries import find_entries
from kmatgen.data.crystal_reading import ReadOptions, read_entries
from kmatgen.data.crystals import gathered, read_shares

SAMPLE = 200  # crystals of the slow peer
COPIES = 20  # of the file, for two processes
SITES, HEADER = 52, 12  # of CrysTens


def ours(path: str, arrays: str, symprec: float | None) -> Work:
    """All CIF texts of a file, already in memory, to arrays."""
    entries = find_entries(path)
    options = ReadOptions(symprec=symprec)
    table = read_entries(entries, options).table
    made = {
        "table": None,
        "CrysTens": kg.representations.CrysTens(SITES).fit(table) if arrays == "CrysTens" else None,
        "PointCloud": kg.representations.PointCloud().fit(table) if arrays == "PointCloud" else None,
    }[arrays]

    def work() -> None:
        table = read_entries(entries, options).table
        if made is not None:
            # In shares, each thrown away as the peer throws its tensors away: 250 MB of fresh memory would cost more
            # than the work.
            for start in range(0, len(table), SAMPLE):
                made.encode(table[start : start + SAMPLE])

    return work


def loops(path: str, arrays: str, symprec: float | None) -> Work:
    """The same for some of the texts by pymatgen's parser and a loop over the atoms of each crystal."""
    warnings.simplefilter("ignore")
    texts = [entry.content for entry in find_entries(path)[:SAMPLE]]
    encode = {"table": _row_by_atom, "CrysTens": _crystens_by_atom, "PointCloud": _fields_by_atom}[arrays]

    def work() -> None:
        from pymatgen.core import Structure

        for text in texts:
            structure = Structure.from_str(text, fmt="cif")
            number = structure.get_space_group_info(symprec)[1] if symprec else 1
            encode(structure, number)

    return work


def _row_by_atom(structure: object, number: int) -> tuple:
    species, coords = [], []
    for site in structure:
        species.append(site.specie.Z)
        coords.append([site.a, site.b, site.c])
    return structure.lattice.parameters, species, coords, number


def _crystens_by_atom(structure: object, number: int) -> np.ndarray:
    tensor = np.zeros((SITES + HEADER, SITES + HEADER, 4), np.float32)
    cell = structure.lattice.parameters
    for i, site in enumerate(structure):
        row = [site.specie.Z, site.a, site.b, site.c, *cell, number]
        for feature, value in enumerate(row):
            tensor[feature, HEADER + i, :] = tensor[HEADER + i, feature, :] = value
        for j, other in enumerate(structure):
            difference = site.frac_coords - other.frac_coords
            tensor[HEADER + i, HEADER + j, 0] = np.linalg.norm(difference)
            tensor[HEADER + i, HEADER + j, 1:] = difference
    return tensor


def _fields_by_atom(structure: object, number: int) -> dict[str, np.ndarray]:
    del number
    lengths, angles = structure.lattice.abc, structure.lattice.angles
    species, coords = [], []
    for site in structure:
        element = site.specie
        block = [float(element.block == name) for name in "spd"]
        species.append([element.row, element.group, element.X, element.atomic_radius, *block, element.mendeleev_no])
        coords.append([(value + 0.25) % 1.0 - 0.5 for value in site.frac_coords])
    lattice = np.array([*np.log(lengths), *[(angle - 90) / 10 for angle in angles]])
    return {"lattice": lattice, "species": np.array(species, float), "coords": np.array(coords)}


def compare(path: str, rounds: int, symprec: float | None) -> None:
    """Print microseconds of one core for a crystal and the ratios."""
    count = len(find_entries(path))
    for arrays in ("table", "CrysTens", "PointCloud") if symprec is None else ("table",):
        peers = {"loops": partial(loops, path, arrays, symprec), "kmatgen": partial(ours, path, arrays, symprec)}
        seconds = take_turns(peers, rounds, clock="process_time")
        slow, fast = 1e6 * seconds["loops"] / min(SAMPLE, count), 1e6 * seconds["kmatgen"] / count
        what = "space groups found" if symprec else "space groups as declared"
        goal = "" if symprec else "  (goal: at least 20 x)"
        print(f"text to {arrays}, {what}: loops {slow:.0f} us, kmatgen {fast:.0f} us of a core for a crystal")
        print(f"ratio: {slow / fast:.1f} x{goal}")


def two_processes(path: str, rounds: int) -> None:
    """Texts in memory to a table with one and with two processes, start of the processes included."""
    entries = find_entries(path) * COPIES
    for symprec in (None, 0.01):
        seconds: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(rounds):
            for jobs, times in seconds.items():
                start = time.perf_counter()
                gathered(read_shares(entries, ReadOptions(symprec=symprec), jobs), path, duplicates=True)
                times.append(time.perf_counter() - start)
        one, two = (float(np.median(times)) for times in seconds.values())
        what = "space groups found" if symprec else "space groups as declared"
        print(f"{len(entries)} texts, {what}: 1 process {one:.1f} s, 2 processes {two:.1f} s")
        print(f"ratio: {one / two:.2f} x  (goal: at least 1.7 x)")


def decoding(path: str) -> None:
    """Seconds for 1,000 tensors."""
    table = kg.data.read_crystals(path).table[:1000]
    for representation in (kg.representations.CrysTens(SITES), kg.representations.PointCloud()):
        arrays = representation.fit(table).encode(table)
        representation.decode(arrays)
        start = time.perf_counter()
        representation.decode(arrays)
        passed = time.perf_counter() - start
        print(f"{len(table)} decoded by {type(representation).__name__}: {passed:.2f} s  (goal: at most 1 s)")


def main() -> None:
    """Run the comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", help="csv files with a column of CIF text; the first is compared")
    parser.add_argument("--rounds", type=int, default=3, help="timed turns of each peer (default: 3)")
    options = parser.parse_args()
    print(machine())
    first = options.data[0]
    compare(first, options.rounds, None)
    compare(first, options.rounds, 0.01)
    two_processes(first, options.rounds)
    decoding(first)
    for path in options.data:
        for symprec in (None, 0.01):
            start = time.perf_counter()
            crystals = kg.data.read_crystals(path, symprec=symprec)
            passed = time.perf_counter() - start
            what = "with space groups" if symprec else "as declared"
            print(f"{path}: {len(crystals)} crystals {what} in {passed:.2f} s; {len(crystals.report)} refused")


if __name__ == "__main__":
    main()
