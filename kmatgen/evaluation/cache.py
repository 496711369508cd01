"""Descriptions of real samples on disk, by the hash of their content, so that they are computed once."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from kmatgen.evaluation.metric import Described, Metric, is_named, ragged
from kmatgen.evaluation.view import View
from kmatgen.files import completed


class Cache:
    """Descriptions of samples in a folder, one file each.

    A file is named by a hash of the samples, of the metric and of how they were looked at. Functions of the user's
    have no name that would tell them apart; with such a setting, and of the user's own metrics, nothing is kept.

    Args:
        folder: Where the files go; made when the first is written. `None`: nothing is kept.
    """

    def __init__(self, folder: str | Path | None) -> None:
        self.folder = None if folder is None else Path(folder)

    def describe(self, metric: Metric, view: View) -> Described:
        """What `metric.describe(view)` gives, read where it was computed before."""
        path = self._path(metric, view)
        if path is None:
            return metric.describe(view)
        if path.is_file():
            return _read(path)
        described = metric.describe(view)
        _write(path, described)
        return described

    def _path(self, metric: Metric, view: View) -> Path | None:
        if self.folder is None or view.settings.name is None or not is_named(metric):
            return None
        import kmatgen

        key = f"{view.content_hash} {metric.name} {view.settings.name} {kmatgen.__version__}"
        return self.folder / f"{metric.name}_{hashlib.sha256(key.encode()).hexdigest()[:24]}.npz"


def _read(path: Path) -> Described:
    with np.load(path, allow_pickle=False) as content:
        if "counts" not in content:
            return content["values"]
        return ragged(np.split(content["values"], np.cumsum(content["counts"])[:-1]))


def _write(path: Path, described: Described) -> None:
    if described.dtype == object:
        # An object array would be pickled; values and their counts are plain arrays.
        content = {"values": np.concatenate(list(described)), "counts": np.array([len(part) for part in described])}
    else:
        content = {"values": described}
    with completed(path) as partial:
        np.savez_compressed(partial, **content)
