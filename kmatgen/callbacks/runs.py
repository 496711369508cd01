"""What a run keeps of its training: pictures of samples, and checkpoints that training can go on from."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kmatgen.files import PARTIAL, completed
from kmatgen.plotting import pair_grid
from kmatgen.plotting.crystals import sample_grid

BEST = "best.keras"


class SampleGrid(keras.callbacks.Callback):
    """Picture samples of the same latent points while a model trains.

    Writes `samples/epoch_0001.png`, ... in the folder, and where images are given
    `samples/reconstructed_0001.png`, each row of real images above its reconstructions.

    Args:
        folder: Folder of the run.
        n: Number of samples.
        every: Epochs from one picture to the next; the first and the last epoch have one too.
        seed: Seed of the latent points.
        images: Real images to show beside their reconstructions, for models that reconstruct.
        condition: What `generate` is asked for: one condition for each sample, or one for all. `None`: the classes in
            turn, for a generator of classes.
    """

    def __init__(
        self,
        folder: str | Path,
        n: int = 64,
        every: int = 1,
        seed: int = 0,
        images: np.ndarray | None = None,
        condition: Any = None,
    ) -> None:
        super().__init__()
        self.folder = Path(folder) / "samples"
        self.n = n
        self.every = every
        self.seed = seed
        self.images = images
        self.condition = condition

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        number = epoch + 1
        if number == 1 or number % self.every == 0 or number == self.params.get("epochs"):
            self.picture(number)

    def picture(self, number: int) -> None:
        """Write the pictures of this epoch number."""
        if self.model.HAS_PRIOR:
            condition = self.model.example_condition(self.n) if self.condition is None else self.condition
            samples = self.model.generate(self.n, condition, seed=self.seed)
            sample_grid(samples, self.folder / f"epoch_{number:04d}.png")
        if self.images is not None:
            reconstructed = self.model.reconstruct(self.images)
            pair_grid(self.images, reconstructed, self.folder / f"reconstructed_{number:04d}.png")


class EpochCheckpoint(keras.callbacks.Callback):
    """Keep the whole model after each epoch: networks, every optimiser, random state, compile configuration.

    The file `epoch_0012.keras` appears complete or not at all, and carries the number of finished epochs
    in its name, so that a run that was killed goes on from the last epoch that was finished.

    Args:
        folder: Folder of the checkpoints.
        keep: Number of latest checkpoints that stay.
        writes: Whether this process writes; of several workers, one does.
    """

    def __init__(self, folder: str | Path, keep: int = 1, writes: bool = True) -> None:
        super().__init__()
        self.folder = Path(folder)
        self.keep = keep
        self.writes = writes

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        save_complete(self.model, self.folder / f"epoch_{epoch + 1:04d}.keras", self.writes)
        for _, path in checkpoints(self.folder)[: -self.keep] if self.writes else ():
            path.unlink()


class BestCheckpoint(keras.callbacks.Callback):
    """Keep the whole model of the epoch whose samples were best so far, as `best.keras`.

    As `keras.callbacks.ModelCheckpoint` with `save_best_only`, but the file appears complete or not at all, several
    workers can use it, and epochs without a value are passed over.

    Args:
        folder: Folder of the checkpoint.
        monitor: What less is better of, in the logs, such as `"val_kid"`.
        best: The least value of epochs before a resume.
        writes: Whether this process writes; of several workers, one does.
    """

    def __init__(self, folder: str | Path, monitor: str, best: float = np.inf, writes: bool = True) -> None:
        super().__init__()
        self.path = Path(folder) / BEST
        self.monitor = monitor
        self.best = best
        self.writes = writes

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        value = float((logs or {}).get(self.monitor, np.nan))
        if value < self.best:
            self.best = value
            save_complete(self.model, self.path, self.writes)


def save_complete(model: keras.Model, path: Path, writes: bool) -> None:
    """Save a model so that the file is complete or not there at all.

    Args:
        model: The model.
        path: The `.keras` file.
        writes: Whether this process keeps the file.
    """
    if not writes:
        # Saving reads sums over all workers, so that all have to take part.
        with tempfile.TemporaryDirectory() as folder:
            model.save(Path(folder) / "model.keras")
        return
    # Left by a process that was killed while it saved; here writes one alone.
    for left in path.parent.glob(f"{PARTIAL}*.keras"):
        left.unlink(missing_ok=True)
    with completed(path) as partial:
        model.save(partial)


def checkpoints(folder: str | Path) -> list[tuple[int, Path]]:
    """The checkpoints in a folder as (number of finished epochs, file), oldest first."""
    found = ((re.fullmatch(r"epoch_(\d+)\.keras", path.name), path) for path in Path(folder).glob("epoch_*.keras"))
    return sorted((int(match[1]), path) for match, path in found if match)
