"""Generated beside real samples: curves with bands, and distributions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from kmatgen.plotting.figures import saved

REAL = "real"
_BINS = 40


def band_curves(
    distance: np.ndarray, curves: Mapping[str, np.ndarray], path: str | Path, xlabel: str, ylabel: str
) -> Path:
    """Write mean curves in bands that hold the middle half of the samples.

    Args:
        distance: Where the curves are given, `(k,)`.
        curves: For each set of samples its curves `(n, k)`; real ones, in black, are named `"real"`.
        path: PNG file to write.
        xlabel: What the horizontal axis is.
        ylabel: What the vertical axis is.
    """
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for name, values, colour in _coloured(curves):
        low, high = np.percentile(values, [25, 75], axis=0)
        axes.fill_between(distance, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(distance, values.mean(axis=0), color=colour, label=name, linewidth=2 if name == REAL else 1.4)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.set_xlim(0, float(distance[-1]))
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    return saved(figure, path)


def density_curves(values: Mapping[str, tuple[np.ndarray, np.ndarray]], path: str | Path, xlabel: str) -> Path:
    """Write distributions of one quantity over each other, as outlines of histograms in the same bins.

    Args:
        values: For each set of samples its values `(m,)` and their weights `(m,)`; real ones, filled, are `"real"`.
        path: PNG file to write.
        xlabel: What the quantity is.
    """
    everything = np.concatenate([numbers for numbers, _ in values.values()])
    # The few longest chords are left out: they would leave one bin for all others.
    low, high = float(everything.min()), float(np.percentile(everything, 99.5))
    edges = np.linspace(low, high if high > low else low + 1.0, _BINS + 1)
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for name, (numbers, weights), colour in _coloured(values):
        density, _ = np.histogram(numbers, edges, weights=weights, density=True)
        if name == REAL:
            axes.stairs(density, edges, color="0.8", fill=True, label=name)
        else:
            axes.stairs(density, edges, color=colour, label=name, linewidth=1.4)
    axes.set_xlabel(xlabel)
    axes.set_ylabel("density")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    return saved(figure, path)


def _coloured(by_name: Mapping[str, object]) -> list[tuple]:
    """Names and contents with a colour each, the real ones first and black."""
    others = [name for name in by_name if name != REAL]
    colours = {name: f"C{index}" for index, name in enumerate(others)}
    names = [*([REAL] if REAL in by_name else []), *others]
    return [(name, by_name[name], colours.get(name, "black")) for name in names]
