"""Say in words when adversarial training goes wrong: a discriminator that wins, samples that are all alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np
from scipy.spatial.distance import pdist

from kmatgen.errors import InputError

# One epoch's logs, as far as they are looked at.
Row = Mapping[str, float]

_SURE = 0.95
_LEAST_DIVERSITY = 0.25
_EXPLODED = 100.0
# Losses below this are small whatever they were before: a critic's begins near 0.
_SMALL_LOSS = 0.1
_LOSSES = ("g_loss", "d_loss", "loss")


class CollapseMonitor(keras.callbacks.Callback):
    """Look for the known ways in which a GAN fails, at the end of an epoch, and name what is found.

    * The discriminator wins: `d_real` above 0.95 and `d_fake` below 0.05, for losses that report probabilities. For
      others: the margin between both has grown for `patience` looks in a row, to more than twice what it was.
    * Diversity is lost: generated samples of fixed latent points are on average less than a quarter as far apart as
      real samples are, or, without real samples, as they were at their best.
    * A loss explodes: it is not finite, or more than 100 times its median so far (of at least `patience` looks; a
      median below 0.1 counts as 0.1).

    What is found is printed as one sentence with its numbers, unless `verbose=0`, and kept in `sentences`. The logs
    have `diversity`, the root mean square distance of a value between two samples, averaged over pairs, and `findings`,
    how many there were; both are NaN for epochs without a look.

    Args:
        every: Epochs from one look to the next; the first epoch has one too.
        n: Number of generated samples, at least 2.
        patience: Looks that make a trend.
        stop: Whether to stop training once `patience` looks in a row found something.
        seed: Seed of the latent points.
        real: Real samples to compare the diversity with; the first `n` are used.
        condition: What `generate` is asked for; see `SampleGrid`.
        earlier: Logs of epochs before a resume, a row each, such as `run.history().to_dict("records")`; everything
            that the monitor remembers is in them.

    Raises:
        InputError: An argument is out of range.
    """

    def __init__(
        self,
        every: int = 1,
        n: int = 64,
        patience: int = 3,
        stop: bool = False,
        seed: int = 0,
        real: Any = None,
        condition: Any = None,
        earlier: Iterable[Row] = (),
    ) -> None:
        super().__init__()
        if every < 1 or n < 2 or patience < 1:
            raise InputError(
                "CollapseMonitor needs every and patience of at least 1, and n of at least 2. "
                f"Received: every={every}, n={n}, patience={patience}."
            )
        self.every = every
        self.n = n
        self.patience = patience
        self.stop = stop
        self.seed = seed
        self.condition = condition
        self.real_diversity = None if real is None else diversity(keras.tree.map_structure(lambda x: x[:n], real))
        self.rows: list[Row] = [row for row in earlier if np.isfinite(row.get("diversity", np.nan))]
        self.sentences: list[str] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = {} if logs is None else logs
        logs.update(diversity=np.nan, findings=np.nan)
        if epoch > 0 and (epoch + 1) % self.every:
            return
        condition = self.model.example_condition(self.n) if self.condition is None else self.condition
        logs["diversity"] = diversity(self.model.generate(self.n, condition, seed=self.seed))
        found = self.look([*self.rows, logs])
        logs["findings"] = float(len(found))
        self.rows.append(dict(logs))
        if found:
            self._say(f"Epoch {epoch + 1}: {'; '.join(found)}.")
        last = self.rows[-self.patience :]
        if self.stop and len(last) == self.patience and all(row["findings"] > 0 for row in last):
            self._say(f"Training stops: each of the last {self.patience} looks found something.")
            self.model.stop_training = True

    def look(self, rows: list[Row]) -> list[str]:
        """What is wrong in the last of these rows, given the earlier ones; each a part of a sentence."""
        loss = getattr(self.model, "adversarial_loss", None)
        if loss is not None and loss.reports_probability:
            wins = discriminator_is_sure(rows)
        else:
            wins = margin_grows(rows, self.patience)
        found = [wins, diversity_lost(rows, self.real_diversity), *losses_exploded(rows, self.patience)]
        return [part for part in found if part is not None]

    def _say(self, sentence: str) -> None:
        self.sentences.append(sentence)
        if self.params.get("verbose", 1):
            # The progress bar has not ended its line yet.
            print(f"\n{sentence}", flush=True)


def diversity(samples: Any) -> float:
    """Mean distance between two samples, as the root mean square difference of a value.

    Args:
        samples: `(n, ...)`, or a dict of such arrays, whose values are taken together.
    """
    fields = [np.asarray(field, np.float64) for field in keras.tree.flatten(samples)]
    values = np.concatenate([field.reshape(len(field), -1) for field in fields], axis=1)
    return float(pdist(values).mean() / np.sqrt(values.shape[1]))


def discriminator_is_sure(rows: list[Row]) -> str | None:
    """Whether the probabilities leave no doubt, and the generator nothing to learn from."""
    real, fake = rows[-1].get("d_real", np.nan), rows[-1].get("d_fake", np.nan)
    if real > _SURE and fake < 1 - _SURE:
        return f"the discriminator wins, it gives real samples {real:.3g} and generated ones {fake:.3g}"
    return None


def margin_grows(rows: list[Row], patience: int) -> str | None:
    """Whether real and generated scores drift apart, at every one of the last looks and to more than twice."""
    margins = np.array([abs(row.get("d_real", np.nan) - row.get("d_fake", np.nan)) for row in rows[-patience - 1 :]])
    if len(margins) > patience and (np.diff(margins) > 0).all() and margins[-1] > 2 * margins[0]:
        return (
            "the discriminator wins, its margin between real and generated samples grew from "
            f"{margins[0]:.3g} to {margins[-1]:.3g} in {patience} looks"
        )
    return None


def diversity_lost(rows: list[Row], real: float | None) -> str | None:
    """Whether generated samples are much more alike than real ones, or than they were."""
    now = rows[-1]["diversity"]
    best, what = (real, "real samples are") if real is not None else (max(row["diversity"] for row in rows), "at best")
    if now < _LEAST_DIVERSITY * best:
        return f"diversity is low, generated samples are {now:.3g} apart, {now / best:.0%} of the {best:.3g} {what}"
    return None


def losses_exploded(rows: list[Row], patience: int) -> list[str]:
    """The losses that are not finite, or far from everything before."""
    found = []
    for name in (name for name in _LOSSES if name in rows[-1]):
        value = rows[-1][name]
        before = np.abs([row.get(name, np.nan) for row in rows[:-1]])
        median = np.median(before[np.isfinite(before)]) if np.isfinite(before).sum() >= patience else np.inf
        if not np.isfinite(value):
            found.append(f"{name} is {value}")
        elif abs(value) > _EXPLODED * max(median, _SMALL_LOSS):
            found.append(f"{name} explodes, it is {value:.3g} after a median size of {median:.3g}")
    return found
