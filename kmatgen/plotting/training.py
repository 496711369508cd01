"""Curves of a training: losses over epochs, both sides of a GAN, samples on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from kmatgen.errors import InputError
from kmatgen.plotting.figures import saved

if TYPE_CHECKING:
    import pandas as pd


def loss_curves(histories: Mapping[str, Sequence[pd.DataFrame]], key: str, path: str | Path) -> Path:
    """Write one loss over epochs three times: plain, its later part zoomed, and on logarithmic axes.

    Args:
        histories: For each label, the histories of its seeds; with several, the mean is drawn in a band
            from the smallest to the largest.
        key: Column to draw, such as `"loss"`. Its `val_` column is drawn dashed where there is one.
        path: PNG file to write.
    """
    figure = Figure(figsize=(13, 4), layout="constrained")
    plain, zoomed, logarithmic = figure.subplots(1, 3)
    lines = [
        (label, column, np.array([history[column].to_numpy()[: _shortest(group)] for history in group]))
        for label, group in histories.items()
        for column in (key, f"val_{key}")
        if all(column in history for history in group)
    ]
    colours = {label: f"C{index}" for index, label in enumerate(histories)}
    for axes in (plain, zoomed, logarithmic):
        for label, column, values in lines:
            epochs = np.arange(1, values.shape[1] + 1)
            dashed = column != key
            name = f"{label} (validation)" if dashed else label
            style = ("--" if dashed else "-") + _marker(epochs)
            axes.plot(epochs, values.mean(0), style, color=colours[label], label=name)
            if len(values) > 1:
                axes.fill_between(epochs, values.min(0), values.max(0), color=colours[label], alpha=0.15)
        axes.set_xlabel("epoch")
        axes.set_ylabel(key)
        axes.grid(alpha=0.3)
    plain.set_title("all epochs")
    plain.legend(fontsize="small")
    _zoom(zoomed, [values for _, _, values in lines])
    logarithmic.set_title("logarithmic axes")
    logarithmic.set_xscale("log")
    if all((values > 0).all() for _, _, values in lines):
        logarithmic.set_yscale("log")
    return saved(figure, path)


def training_figure(
    histories: Mapping[str, Mapping[str, Sequence[float]]],
    snapshots: Mapping[str, Mapping[int, np.ndarray]],
    path: str | Path,
) -> Path:
    """Write one figure with a row for each GAN: losses, D(x) and D(G(z)), samples after several epochs.

    Args:
        histories: For each model its logs by name, one value an epoch; with `g_loss`, `d_loss`, `d_real`, `d_fake`.
        snapshots: For each model its samples `(n, height, width, channels)` by epoch; the first 25 are shown.
        path: PNG file to write.
    """
    columns = 2 + max(len(shown) for shown in snapshots.values())
    figure = Figure(figsize=(2.6 * columns, 2.6 * len(histories)), layout="constrained")
    grid = figure.subplots(len(histories), columns, squeeze=False)
    for row, (name, history) in zip(grid, histories.items(), strict=True):
        epochs = np.arange(1, len(history["g_loss"]) + 1)
        for axes, keys, title in (
            (row[0], ("g_loss", "d_loss"), "losses"),
            (row[1], ("d_real", "d_fake"), "mean score"),
        ):
            for key in keys:
                axes.plot(epochs, history[key], _marker(epochs), label=key)
            axes.set_title(f"{name}: {title}", fontsize="medium")
            axes.set_xlabel("epoch")
            axes.legend(fontsize="small")
        for axes in row[2:]:
            axes.axis("off")
        for axes, (epoch, samples) in zip(row[2:], snapshots[name].items(), strict=False):
            axes.imshow(_mosaic(samples[:25]), cmap="gray", vmin=0, vmax=1)
            axes.set_title(f"epoch {epoch}", fontsize="medium")
    return saved(figure, path, dpi=100)


def adversarial_curves(
    history: Mapping[str, Sequence[float]] | pd.DataFrame, path: str | Path, probabilities: bool = False
) -> Path:
    """Write the losses of both sides, and the discriminator's mean scores of real and generated samples, over epochs.

    Args:
        history: Columns `g_loss`, `d_loss`, `d_real` and `d_fake`, a value an epoch; their `val_` columns are
            drawn dashed where there are any, and `epoch`, counted from 0, places them.
        path: PNG file to write.
        probabilities: Whether the scores are probabilities. Then dotted lines show a discriminator that cannot tell
            real from generated: a loss of 2 log 2 = 1.386 (the game's value is -2 log 2; Goodfellow et al. 2014,
            theorem 1) and a probability of 1/2.
    """
    missing = [key for key in ("g_loss", "d_loss", "d_real", "d_fake") if key not in history]
    if missing:
        raise InputError(f"Adversarial curves need {', '.join(missing)} in the history. Received: {[*history]}.")
    epochs = np.arange(len(history["g_loss"])) if "epoch" not in history else np.asarray(history["epoch"])
    figure = Figure(figsize=(10, 4), layout="constrained")
    losses, scores = figure.subplots(1, 2)
    for axes, keys in ((losses, ("g_loss", "d_loss")), (scores, ("d_real", "d_fake"))):
        for index, key in enumerate(keys):
            axes.plot(epochs + 1, history[key], f"-{_marker(epochs)}", color=f"C{index}", label=key)
            if f"val_{key}" in history:
                dashed = f"--{_marker(epochs)}"
                axes.plot(epochs + 1, history[f"val_{key}"], dashed, color=f"C{index}", label=f"{key} (held out)")
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)
    losses.set_title("losses")
    scores.set_title("probability of being real" if probabilities else "mean score")
    if probabilities:
        losses.axhline(2 * np.log(2), color="grey", linestyle=":", label="d_loss of 2 log 2")
        scores.axhline(0.5, color="grey", linestyle=":", label="1/2")
        scores.set_ylim(0, 1)
    for axes in (losses, scores):
        axes.legend(fontsize="small")
    return saved(figure, path)


def _mosaic(samples: np.ndarray) -> np.ndarray:
    """Up to 25 images as one, five in a row."""
    n, height, width, channels = samples.shape
    rows = -(-n // 5)
    sheet = np.ones((rows * height, 5 * width, channels), np.float32)
    for index, sample in enumerate(samples):
        top, left = index // 5 * height, index % 5 * width
        sheet[top : top + height, left : left + width] = sample
    return sheet if channels == 3 else sheet[..., 0]


def _marker(epochs: Sequence[int] | np.ndarray) -> str:
    """The format of a marker where there are too few epochs for a line to be seen."""
    return "o" if len(epochs) < 3 else ""


def _shortest(group: Sequence[pd.DataFrame]) -> int:
    return min(len(history) for history in group)


def _zoom(axes: object, curves: Sequence[np.ndarray]) -> None:
    """Show the last two thirds of the epochs with the range of values found there."""
    last = max(values.shape[1] for values in curves)
    start = last // 3
    late = np.concatenate([values[:, min(start, values.shape[1] - 1) :].ravel() for values in curves])
    margin = 0.05 * (late.max() - late.min()) or 1e-3
    axes.set_xlim(max(1, start), max(last, 2))
    axes.set_ylim(late.min() - margin, late.max() + margin)
    axes.set_title("last two thirds, zoomed")
