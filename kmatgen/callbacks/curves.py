"""The curves of an adversarial training, drawn while it runs."""

from __future__ import annotations

from pathlib import Path

import keras
import pandas as pd

from kmatgen.errors import InputError
from kmatgen.plotting import adversarial_curves


class AdversarialCurves(keras.callbacks.Callback):
    """Write `adversarial_curves.png`: the losses, and what the discriminator thinks of real and generated samples.

    See `kmatgen.plotting.adversarial_curves`. It is written when training ends and, on request, while it runs.

    Args:
        folder: Folder of the picture.
        every: Epochs from one writing to the next. `None`: only at the end.

    Raises:
        InputError: On `fit`, the model is not adversarial.
    """

    def __init__(self, folder: str | Path, every: int | None = None) -> None:
        super().__init__()
        self.path = Path(folder) / "adversarial_curves.png"
        self.every = every
        self.rows: list[dict[str, float]] = []

    def on_train_begin(self, logs: dict | None = None) -> None:
        names = {metric.name for metric in self.model.metrics}
        if not {"g_loss", "d_loss", "d_real", "d_fake"} <= names:
            raise InputError(
                "AdversarialCurves needs a model that logs g_loss, d_loss, d_real and d_fake. "
                f"Received: {sorted(names)}."
            )

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.rows.append({"epoch": epoch, **(logs or {})})
        if self.every is not None and (epoch + 1) % self.every == 0:
            self.write()

    def on_train_end(self, logs: dict | None = None) -> None:
        if self.rows:
            self.write()

    def write(self) -> None:
        """Write the picture of the epochs so far."""
        probabilities = self.model.adversarial_loss.reports_probability
        adversarial_curves(pd.DataFrame(self.rows), self.path, probabilities)
