"""Scores of crystals: seconds for fingerprints, against matminer, and for novelty.

python benchmarks/crystal_scores.py perov_5/train.csv --rounds 3

matminer needs `pip install "matminer>=0.10.1" "pandas<3"`; without it only our own time is printed.
"""

from __future__ import annotations

import argparse
import time
import warnings
from functools import partial

import numpy as np
from turns import Work, machine, take_turns

import kmatgen as kg
from kmatgen.metrics import novel, shuffled_species, structure_fingerprints

FINGERPRINTED = 40


def read(path: str) -> kg.CrystalTable:
    """The crystals of a csv file or folder."""
    return kg.data.read_crystals(path).table


def fingerprints(path: str, backend: str) -> Work:
    """Order parameters of crystals evenly taken from the file, in one process."""
    table = read(path)
    table = table[np.linspace(0, len(table) - 1, FINGERPRINTED).astype(int)]
    warnings.simplefilter("ignore")
    structure_fingerprints(table[:1], backend=backend)
    return lambda: structure_fingerprints(table, backend=backend)


def main() -> None:
    """Time all and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="csv file with a column of CIF text, or folder of CIF files")
    parser.add_argument("--rounds", type=int, default=3, help="timed turns of each peer (default: 3)")
    parser.add_argument("--generated", type=int, default=1000, help="crystals compared with the data (default: 1000)")
    options = parser.parse_args()
    print(machine())
    peers = {backend: partial(fingerprints, options.data, backend) for backend in ("kmatgen", "matminer")}
    seconds = take_turns(peers, options.rounds)
    times = ", ".join(f"{name} {value:.2f} s" for name, value in seconds.items())
    print(f"fingerprints of {FINGERPRINTED} crystals: {times}")
    if "matminer" in seconds:
        print(f"{seconds['matminer'] / seconds['kmatgen']:.1f} x as fast as matminer")
    table = read(options.data)
    generated = shuffled_species(table, options.generated)
    start = time.perf_counter()
    share = novel(generated, table).mean()
    passed = time.perf_counter() - start
    print(f"novelty of {len(generated)} against {len(table)}: {passed:.1f} s, {share:.1%} novel")


if __name__ == "__main__":
    main()
