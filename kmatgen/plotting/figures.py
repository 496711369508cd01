"""Matplotlib figures as files."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure


def saved(figure: Figure, path: str | Path, dpi: int = 110) -> Path:
    """Write a figure as a PNG file, in a folder that is made where it is missing."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=dpi)
    return path
