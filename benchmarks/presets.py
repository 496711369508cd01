"""Seconds that each preset takes to train on 1000 samples: the numbers of `kmatgen.presets.cost.SECONDS_PER_1000`.

Processor time divided by the number of cores, which other work on the machine disturbs less than the clock's; both
are printed. The first steps, with their tracing, do not count.

    python benchmarks/presets.py --presets wgan_gp_64 dcgan_64
"""

from __future__ import annotations

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from turns import machine

from kmatgen.data.pipeline import batches
from kmatgen.presets import PRESETS, resolve
from kmatgen.presets.cost import opened


def seconds_per_1000(preset: str, steps: int) -> tuple[float, float]:
    """Processor time over cores, and time by the clock."""
    d_steps_at_most, size = 5, resolve(preset)["fit"]["batch_size"]
    model, samples = opened(preset, 2 * size * d_steps_at_most)
    per_step = size * getattr(model, "d_steps", 1)
    data = batches(samples, size, d_steps=getattr(model, "d_steps", 1), cache=True).repeat()
    model.fit(data, steps_per_epoch=3, verbose=0)
    processor, clock = time.process_time(), time.perf_counter()
    model.fit(data, steps_per_epoch=steps, verbose=0)
    factor = 1000 / (steps * per_step)
    cores = os.cpu_count() or 1
    return (time.process_time() - processor) / cores * factor, (time.perf_counter() - clock) * factor


def main() -> None:
    """Print a line for each preset."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=list(PRESETS), help="default: all")
    parser.add_argument("--steps", type=int, default=10, help="steps that are timed (default: 10)")
    options = parser.parse_args()
    print(machine())
    for preset in options.presets:
        processor, clock = seconds_per_1000(preset, options.steps)
        print(f'    "{preset}": {processor:.3g},  # {clock:.3g} by the clock', flush=True)


if __name__ == "__main__":
    main()
