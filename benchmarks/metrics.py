"""Metrics against their peers.

(a) The two-point correlation of 1,000 images of 128 x 128, radially averaged, without periodic continuation, against
porespy (which is timed on 20 of them); (b) the Frechet distance of 500 samples with 2,048 features against the route
by `scipy.linalg.sqrtm`; (c) peak memory of precision, recall, density and coverage of 10,000 samples with 512 features.

    python benchmarks/metrics.py --rounds 3
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
import warnings

import numpy as np
from turns import Work, machine, take_turns

from kmatgen.metrics import frechet_distance, prdc, two_point_curve

IMAGES, SIDE, OF_PORESPY = 1000, 128, 20
SAMPLES, FEATURES = 500, 2048


def islands(n: int) -> np.ndarray:
    """Phase indicators with islands of 4 x 4 pixels."""
    coarse = np.random.default_rng(0).random((n, SIDE // 4, SIDE // 4)) < 0.4
    return np.kron(coarse, np.ones((1, 4, 4), bool))


def s2_of_kmatgen() -> Work:
    """All images in one call."""
    images = islands(IMAGES)
    return lambda: two_point_curve(images, periodic=False)


def s2_of_porespy() -> Work:
    """Some of the images, one call each, as its users write it."""
    from porespy.metrics import two_point_correlation

    images = islands(OF_PORESPY)

    def work() -> None:
        for image in images:
            two_point_correlation(image, bins=SIDE // 2)

    return work


def features() -> tuple[np.ndarray, np.ndarray]:
    """Two samples that differ in mean and spread."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(SAMPLES, FEATURES)), rng.normal(0.1, 1.1, size=(SAMPLES, FEATURES))


def frechet_of_kmatgen() -> Work:
    """By singular values."""
    real, generated = features()
    warnings.simplefilter("ignore")
    return lambda: frechet_distance(real, generated)


def frechet_by_root() -> Work:
    """Covariances, and the root of their product, as published code has it."""
    from scipy.linalg import sqrtm

    real, generated = features()
    warnings.simplefilter("ignore")

    def work() -> None:
        c1, c2 = np.cov(real, rowvar=False), np.cov(generated, rowvar=False)
        root = sqrtm(c1 @ c2).real
        np.sum((real.mean(axis=0) - generated.mean(axis=0)) ** 2) + np.trace(c1 + c2 - 2.0 * root)

    return work


def peak_of_prdc() -> tuple[float, float]:
    """Peak resident memory in MB of a process that computes it, and seconds."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure_prdc)


def _measure_prdc() -> tuple[float, float]:
    rng = np.random.default_rng(0)
    real, generated = rng.normal(size=(10_000, 512)), rng.normal(size=(10_000, 512))
    start = time.perf_counter()
    prdc(real, generated)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, time.perf_counter() - start


def compare_s2(rounds: int) -> None:
    """Milliseconds an image."""
    times = take_turns({"kmatgen": s2_of_kmatgen, "porespy": s2_of_porespy}, rounds)
    ours, theirs = (1000 * times[name] / n for name, n in (("kmatgen", IMAGES), ("porespy", OF_PORESPY)))
    print(f"S2, ms an image: kmatgen {ours:.3f}, porespy {theirs:.2f}")
    print(f"ratio: {theirs / ours:.0f} x porespy's speed  (goal: at least 20 x)")


def compare_frechet(rounds: int) -> None:
    """Seconds; the matrix root, which takes long, is taken once."""
    times = take_turns({"kmatgen": frechet_of_kmatgen}, rounds) | take_turns({"root": frechet_by_root}, 1, warm_up=0)
    print("Frechet distance: kmatgen {kmatgen:.3f} s, by the matrix root {root:.1f} s".format(**times))
    print(f"ratio: {times['root'] / times['kmatgen']:.0f} x  (goal: at least 50 x)")


def measure_prdc(rounds: int) -> None:
    """Peak memory, which is the same in every round."""
    del rounds
    peak, seconds = peak_of_prdc()
    print(f"PRDC of 10,000 samples: {peak:.0f} MB, {seconds:.1f} s  (goal: at most 1500 MB)")


PARTS = {"s2": compare_s2, "frechet": compare_frechet, "prdc": measure_prdc}


def main() -> None:
    """Run the comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="timed turns of each peer (default: 3)")
    parser.add_argument("--parts", nargs="*", default=[*PARTS], choices=PARTS, help="which comparisons (default: all)")
    options = parser.parse_args()
    print(machine())
    for part in options.parts:
        PARTS[part](options.rounds)


if __name__ == "__main__":
    main()
