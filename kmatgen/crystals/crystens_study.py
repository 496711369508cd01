"""Generators of CrysTens compared: trained for equal times, judged by how far their tensors contradict themselves."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from scipy.spatial.distance import pdist

from kmatgen.callbacks import GeneratorEMA, StopAfterMinutes
from kmatgen.data.pipeline import batches
from kmatgen.errors import InputError
from kmatgen.metrics.crystal_consistency import PUBLISHED_CONSISTENCY, consistency
from kmatgen.metrics.crystal_validity import structurally_valid
from kmatgen.models.base import GenerativeModel
from kmatgen.models.diffusion import Diffusion
from kmatgen.networks import image_decoder
from kmatgen.pages import picture, render
from kmatgen.plotting import image_grid
from kmatgen.presets import resolve
from kmatgen.representations import CrysTens
from kmatgen.representations.crystens import HEADER
from kmatgen.training import build_model

# Names in the paper's table.
PUBLISHED_NAMES = {"gan": "GAN", "wgan_gp": "WGAN", "diffusion": "diffusion"}
_SHOWN = 8
# Epochs of one step end by the clock.
_ENDLESS = 10**9


class Trained(NamedTuple):
    """A trained model, and what it took.

    Attributes:
        model: The model.
        steps: Optimiser steps, of the generator for a GAN.
        seconds: Wall time of all steps but the first, in which TensorFlow traces.
    """

    model: GenerativeModel
    steps: int
    seconds: float


def crystens_model(family: str, side: int = 64, width: float = 1.0, seed: int = 0) -> GenerativeModel:
    """The compiled model of a preset, that generates tensors in [0, 1].

    Args:
        family: `"gan"` or `"wgan_gp"` with the published networks, optimisers and losses; `"diffusion"` with a U-Net of
            our own (the paper took Imagen's).
        side: Side of the tensors.
        width: Factor of the numbers of filters.
        seed: Of weights and training.

    Raises:
        InputError: There is no such family.
    """
    if family not in PUBLISHED_NAMES:
        raise InputError(f"A family is one of {', '.join(PUBLISHED_NAMES)}. Received: {family!r}.")
    shape = (side, side, 4)
    if family == "diffusion":
        # Multiples of 8 for normalisation; below 16 the noise of a patch, 2 x 2 x 4 values, would not pass.
        filters = [8 * max(2, round(count * width / 8)) for count in (32, 64, 128)]
        narrowed: dict[str, Any] = {"networks.denoiser.config.filters": filters}
    else:
        narrowed = {f"networks.{role}.config.width": width for role in ("generator", "discriminator")}
    config = resolve(f"crystens_{family}", {"seed": seed, **narrowed})
    keras.utils.set_random_seed(seed)
    return build_model(config, shape, {"decoder": None, "centred_decoder": image_decoder(shape)})


def train_for(model: GenerativeModel, tensors: np.ndarray, minutes: float, batch_size: int, seed: int = 0) -> Trained:
    """Train until the minutes are over, to the step; the clock starts after the first, in which TensorFlow traces.

    Args:
        model: From `crystens_model`.
        tensors: `(n, side, side, 4)` in [0, 1].
        minutes: Wall time.
        batch_size: Tensors in a step of one network.
        seed: Of the order.
    """
    endless = tf.data.Dataset.from_tensor_slices(tensors).repeat()
    data = batches(endless, batch_size, seed=seed, d_steps=getattr(model, "d_steps", 1))
    callbacks = [StopAfterMinutes(minutes), *([GeneratorEMA()] if isinstance(model, Diffusion) else [])]
    model.fit(data, steps_per_epoch=1, epochs=1, verbose=0)
    began = time.perf_counter()
    history = model.fit(data, steps_per_epoch=1, epochs=_ENDLESS, callbacks=callbacks, verbose=0)
    return Trained(model, 1 + len(history.epoch), time.perf_counter() - began)


def consistency_table(
    codec: CrysTens, real: np.ndarray, generated: Mapping[str, np.ndarray], trained: Mapping[str, Trained]
) -> pd.DataFrame:
    """A row for real tensors, and for each family one beside the published one.

    Beside the five statistics: how many of the tensors decode to a structurally valid crystal, and how far tensors
    differ from each other (root mean square, mean over pairs, over the same of real ones). A generator that always
    makes one crystal is consistent.

    Args:
        codec: The representation.
        real: Held-out tensors.
        generated: Tensors by family.
        trained: How each was trained.
    """
    rows: dict[str, dict[str, Any]] = {"real": _judged(codec, real, real)}
    for family, tensors in generated.items():
        effort = trained[family]
        own = {"parameters": effort.model.count_params(), "steps": effort.steps, "seconds": round(effort.seconds, 1)}
        rows[family] = {**_judged(codec, tensors, real), **own}
        rows[f"{family} (published)"] = PUBLISHED_CONSISTENCY[PUBLISHED_NAMES[family]]._asdict()
    return pd.DataFrame.from_dict(rows, orient="index")


def write_crystens_study(
    table: pd.DataFrame,
    codec: CrysTens,
    real: np.ndarray,
    generated: Mapping[str, np.ndarray],
    folder: str | Path,
    about: Mapping[str, Any],
) -> Path:
    """Leave `consistency.csv`, `tensors.png` and `crystens.html` in the folder; gives the page.

    Args:
        table: From `consistency_table`.
        codec: The representation.
        real: Held-out tensors.
        generated: Tensors by family.
        folder: Where to write.
        about: What else a reader has to know, by name.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "consistency.csv", index_label="tensors")
    # The rest of the tensors is padding.
    corner = HEADER + int(codec.copies(real).n_sites.max())
    rows = [tensors[:_SHOWN, :corner, :corner, 1:] for tensors in (real, *generated.values())]
    shown = min(map(len, rows))
    path = image_grid(np.concatenate([row[:shown] for row in rows]), folder / "tensors.png", columns=shown)
    caption = (
        f"Rows: real (held out), {', '.join(generated)}; the first, not chosen. The corner that holds the atoms of "
        "real crystals; red, green and blue are the channels of the differences in x, y and z."
    )
    return render(
        "crystens.html",
        folder / "crystens.html",
        title="CrysTens: how far generated tensors contradict themselves",
        table=table,
        about={**about, "limits": codec.limits, "sites": codec.sites},
        figures=[picture(path, "Tensors", caption)],
    )


def _judged(codec: CrysTens, tensors: np.ndarray, real: np.ndarray) -> dict[str, float]:
    decoded = codec.decode(tensors).table
    valid = float(structurally_valid(decoded).sum()) / len(tensors) if len(decoded) else 0.0
    diversity = _spread(tensors) / max(_spread(real), 1e-12)
    return {**consistency(codec.copies(tensors))._asdict(), "valid": valid, "diversity": diversity}


def _spread(tensors: np.ndarray) -> float:
    """Mean distance of two tensors; 0 of one alone."""
    return float(pdist(tensors.reshape(len(tensors), -1)).mean()) if len(tensors) > 1 else 0.0
