"""Anomalies: heat maps over images, and receiver operating characteristics."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from kmatgen.errors import InputError
from kmatgen.plotting.figures import saved


def heat_maps(images: np.ndarray, expected: np.ndarray, maps: np.ndarray, path: str | Path, titles: list[str]) -> Path:
    """Write a column for each image: itself, what a model makes of it, and where the two differ.

    Args:
        images: `(n, height, width, channels)` in [0, 1].
        expected: What a model makes of them, of the same shape.
        maps: `(n, height, width)`, all on one colour scale.
        path: PNG file to write.
        titles: One for each image.
    """
    if len(images) == 0 or not len(images) == len(expected) == len(maps) == len(titles):
        raise InputError(
            "Heat maps need as many images, expectations, maps and titles. "
            f"Received: {len(images)}, {len(expected)}, {len(maps)}, {len(titles)}."
        )
    figure = Figure(figsize=(1.5 * len(images) + 0.9, 4.9), layout="constrained")
    grid = figure.subplots(3, len(images), squeeze=False)
    highest = float(np.percentile(maps, 99.5)) or 1.0
    for column, title in enumerate(titles):
        for axes, image in zip(grid[:2, column], (images[column], expected[column]), strict=True):
            axes.imshow(image if image.shape[-1] == 3 else image[..., 0], cmap="gray", vmin=0, vmax=1)
        shown = grid[2, column].imshow(maps[column], cmap="inferno", vmin=0, vmax=highest)
        grid[0, column].set_title(title, fontsize="small")
    for axes, label in zip(grid[:, 0], ("image", "expected", "squared error"), strict=True):
        axes.set_ylabel(label, fontsize="small")
    for axes in grid.flat:
        axes.set_xticks([])
        axes.set_yticks([])
    figure.colorbar(shown, ax=grid[2, :], shrink=0.9)
    return saved(figure, path)


def roc_curves(curves: Mapping[str, tuple[np.ndarray, np.ndarray, float]], path: str | Path) -> Path:
    """Write receiver operating characteristics.

    Args:
        curves: For each score the false and the true positive rates, and the area under the curve.
        path: PNG file to write.
    """
    figure = Figure(figsize=(4.6, 4.4), layout="constrained")
    axes = figure.subplots()
    for name, (false, true, area) in curves.items():
        axes.plot(false, true, label=f"{name}, area {area:.2f}")
    axes.plot([0, 1], [0, 1], ":", color="0.5", label="chance, area 0.50")
    axes.set_xlabel("normal images called anomalous")
    axes.set_ylabel("anomalous images found")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", loc="lower right")
    return saved(figure, path)
