"""Keras callbacks of a training: pictures, checkpoints, averaged weights, and warnings of what goes wrong.

Their order in `fit(callbacks=[...])`: `StopOnNonFinite`, `GeneratorEMA`, `CollapseMonitor` and `EvaluateSamples` come
before those that write (`CSVLogger`, `SampleGrid`, `EpochCheckpoint`, `BestCheckpoint`), which then write what is good
and complete.
"""

from kmatgen.callbacks.budget import StopAfterMinutes
from kmatgen.callbacks.collapse import CollapseMonitor
from kmatgen.callbacks.curves import AdversarialCurves
from kmatgen.callbacks.ema import GeneratorEMA
from kmatgen.callbacks.evaluate import EvaluateSamples
from kmatgen.callbacks.nonfinite import StopOnNonFinite
from kmatgen.callbacks.runs import BestCheckpoint, EpochCheckpoint, SampleGrid, checkpoints

__all__ = [
    "AdversarialCurves",
    "BestCheckpoint",
    "CollapseMonitor",
    "EpochCheckpoint",
    "EvaluateSamples",
    "GeneratorEMA",
    "SampleGrid",
    "StopAfterMinutes",
    "StopOnNonFinite",
    "checkpoints",
]
