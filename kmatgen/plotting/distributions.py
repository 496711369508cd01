"""What generated samples are like beside what was asked for, or beside real ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from kmatgen.plotting.figures import saved


def asked_figure(asked: np.ndarray, made: np.ndarray, path: str | Path) -> Path:
    """Write what samples have against what they were asked for; on the diagonal both are the same.

    Args:
        asked: Fractions `(n, channels)` that samples were asked for.
        made: Fractions that they have.
        path: PNG file to write.
    """
    figure = Figure(figsize=(4.5, 4.5), layout="constrained")
    axes = figure.subplots()
    limits = min(asked.min(), made.min()), max(asked.max(), made.max())
    axes.plot(limits, limits, "--", color="grey")
    for channel in range(asked.shape[1]):
        axes.plot(asked[:, channel], made[:, channel], ".", label=f"channel {channel}")
    axes.set_xlabel("phase fraction asked")
    axes.set_ylabel("phase fraction made")
    axes.grid(alpha=0.3)
    if asked.shape[1] > 1:
        axes.legend(fontsize="small")
    return saved(figure, path)


def distributions_figure(
    panels: Mapping[str, Mapping[str, np.ndarray | Mapping[str, float]]], path: str | Path, most_classes: int = 16
) -> Path:
    """Write a panel for each quantity, in which the distributions of several data sets lie over each other.

    Args:
        panels: For each quantity, by its name, the data sets by theirs: numbers, drawn as histograms with common
            bins, or shares by class, drawn as bars beside each other.
        path: PNG file to write.
        most_classes: Of more classes those are shown that are frequent in any data set.
    """
    rows = -(-len(panels) // 2)
    figure = Figure(figsize=(13, 3.4 * rows), layout="constrained")
    all_axes = figure.subplots(rows, 2, squeeze=False).ravel()
    for axes in all_axes[len(panels) :]:
        axes.set_axis_off()
    for axes, (quantity, by_name) in zip(all_axes, panels.items(), strict=False):
        if all(isinstance(values, Mapping) for values in by_name.values()):
            _bars(axes, by_name, most_classes)
        else:
            _histograms(axes, by_name)
        axes.set_xlabel(quantity)
        axes.legend(fontsize="small")
    return saved(figure, path)


def _histograms(axes: object, by_name: Mapping[str, np.ndarray]) -> None:
    finite = {name: np.asarray(values)[np.isfinite(values)] for name, values in by_name.items()}
    together = np.concatenate(list(finite.values()))
    low, high = np.percentile(together, (0.2, 99.8)) if len(together) else (0.0, 1.0)
    bins = np.linspace(low, max(high, low + 1e-9), 41)
    for name, values in finite.items():
        axes.hist(np.clip(values, low, high), bins, density=len(values) > 0, histtype="step", linewidth=1.5, label=name)
    axes.set_ylabel("density of probability")


def _bars(axes: object, by_name: Mapping[str, Mapping[str, float]], most_classes: int) -> None:
    classes = {name: None for shares in by_name.values() for name in shares}
    largest = {name: max(shares.get(name, 0.0) for shares in by_name.values()) for name in classes}
    shown = sorted(largest, key=largest.get, reverse=True)[:most_classes]
    width = 0.8 / len(by_name)
    for index, (name, shares) in enumerate(by_name.items()):
        places = np.arange(len(shown)) + (index - (len(by_name) - 1) / 2) * width
        axes.bar(places, [shares.get(one, 0.0) for one in shown], width, label=name)
    axes.set_xticks(range(len(shown)), shown, rotation=90 if len(shown) > 8 else 0)
    axes.set_ylabel("share")
