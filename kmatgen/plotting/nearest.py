"""Whether samples are remembered: distances to the training set, and the closest pairs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from kmatgen.errors import InputError
from kmatgen.plotting.figures import saved
from kmatgen.plotting.images import to_picture

if TYPE_CHECKING:
    from kmatgen.metrics.memorisation import NearestTraining


def nearest_training_figure(
    found: NearestTraining, generated: np.ndarray, training: np.ndarray, path: str | Path
) -> Path:
    """Write the distances to the training set as histograms, and below them the closest pairs.

    Args:
        found: What `kmatgen.metrics.nearest_training` returned for features of these samples.
        generated: The generated samples `(n, height, width, channels)` in [0, 1].
        training: The training samples `(m, height, width, channels)` in [0, 1].
        path: PNG file to write.

    Raises:
        InputError: The samples are not those that were compared.
    """
    if len(generated) != len(found.generated) or (len(found.pairs) and found.pairs[:, 1].max() >= len(training)):
        raise InputError(
            f"The samples must be those that were compared, {len(found.generated)} generated ones. "
            f"Received: {len(generated)} generated and {len(training)} training samples."
        )
    columns = max(1, len(found.pairs))
    figure = Figure(figsize=(max(6.0, 1.3 * columns), 6.2), layout="constrained")
    histogram, pictures = figure.subfigures(2, 1, height_ratios=(1.0, 1.0))
    _distances(histogram.subplots(), found)
    rows = pictures.subplots(2, columns, squeeze=False)
    for column, (of_generated, of_training) in enumerate(found.pairs):
        rows[0, column].imshow(to_picture(generated[of_generated]), cmap="gray", vmin=0, vmax=255)
        rows[1, column].imshow(to_picture(training[of_training]), cmap="gray", vmin=0, vmax=255)
        rows[0, column].set_title(f"{found.generated[of_generated]:.3g}", fontsize="small")
    for axes in rows.ravel():
        axes.set_xticks([])
        axes.set_yticks([])
    rows[0, 0].set_ylabel("generated", fontsize="small")
    rows[1, 0].set_ylabel("training", fontsize="small")
    pictures.suptitle("closest pairs, and their distances", fontsize="medium")
    return saved(figure, path)


def _distances(axes: object, found: NearestTraining) -> None:
    together = np.concatenate([found.generated, found.held_out])
    bins = np.linspace(together.min(), max(together.max(), together.min() + 1e-9), 41)
    for name, distances in (("held out", found.held_out), ("generated", found.generated)):
        axes.hist(distances, bins, density=True, histtype="step", linewidth=1.5, label=name)
    axes.axvline(found.threshold, color="grey", linestyle=":", label="too near: below this")
    verdict = "new" if found.passed else "remembered"
    axes.set_title(
        f"{verdict}: {found.share_below:.2%} of the samples are too near, {found.share_allowed:.2%} may be; "
        f"{found.copies} copies",
        fontsize="medium",
    )
    axes.set_xlabel("distance to the nearest training sample")
    axes.set_ylabel("density of probability")
    axes.legend(fontsize="small")
