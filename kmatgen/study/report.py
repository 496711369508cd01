"""The report of a study: one self-contained HTML page, and one row for each member in `study.csv`."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np
import pandas as pd
from PIL import Image
from scipy import stats

from kmatgen.pages import Picture, picture, render
from kmatgen.plotting import loss_curves
from kmatgen.presets import Config
from kmatgen.study.store import Record, State, final_loss

_CONFIDENCE = 0.95
# All pictures of the members together, before base64 makes them a third larger.
_PICTURE_BYTES = 9_000_000
# A small picture's width in pixels, and its share of the bytes against a large one's.
_SMALL_WIDTH, _SMALL_SHARE = 240, 0.1
_SHOWN = (("samples.png", "samples"), ("reconstructions.png", "real above reconstructed"))
# Logs that are drawn over the epochs, where all members have them, and what they are.
_CURVES = {
    "loss": "The loss",
    "reconstruction_loss": "Its reconstruction part",
    "g_loss": "The generator's loss",
    "d_loss": "The discriminator's loss",
}


class Interval(NamedTuple):
    """A mean with its confidence interval.

    Attributes:
        mean: Mean of the values.
        half_width: Half the width of the interval; `None` for a single value, which has none.
        n: Number of values.
    """

    mean: float
    half_width: float | None
    n: int

    def __str__(self) -> str:
        """`0.4312 ± 0.0021`: the interval with two digits, the mean as far as those reach."""
        if self.half_width is None:
            return f"{self.mean:.4g} (n=1)"
        if not self.half_width > 0:
            return f"{self.mean:.4g} ± {self.half_width:.2g}"
        decimals = min(8, max(0, 1 - math.floor(math.log10(self.half_width))))
        return f"{self.mean:.{decimals}f} ± {self.half_width:.{decimals}f}"


class Row(NamedTuple):
    """A combination of the factors, over its seeds, as the template wants it."""

    title: str
    labels: list[str]
    parameters: int | None
    seeds: str
    losses: list[str]
    floor: float | None
    seconds: float | None
    large: list[Picture]
    small: list[Picture]


def write_study_report(folder: str | Path, records: Sequence[Record], base: Config) -> Path:
    """Write `report.html` and `study.csv` of a study.

    Args:
        folder: Folder of the study. Pictures and loss curves come from the runs in its `members/`; a member
            trained on another machine, without a shared folder, is reported in numbers only.
        records: All members of the study.
        base: The configuration that they share.
    """
    folder = Path(folder)
    member_table(records).to_csv(folder / "study.csv", index=False)
    names = dict.fromkeys(name for record in records for name in record.notes.get("losses", {}))
    losses = [name for name in names if name == "loss" or (name.startswith("val_") and name.endswith("loss"))]
    groups = _groups(records)
    return render(
        "study.html",
        folder / "report.html",
        title=folder.resolve().name,
        config=base,
        factors=list(records[0].labels),
        losses=losses,
        rows=_rows(folder, groups, losses),
        curves=_curves(folder, groups),
        real=_real(folder, records),
        members=[(record, final_loss(record.notes.get("losses", {})), _links(folder, record)) for record in records],
        states={state.value: count for state in State if (count := sum(record.state == state for record in records))},
        failed=[record for record in records if record.state == State.FAILED],
    )


def member_table(records: Sequence[Record]) -> pd.DataFrame:
    """One row for each member: factors, seed, state, parameters, seconds, final losses, floors, error, folder."""
    rows = []
    for record in records:
        notes = record.notes
        error = notes.get("error", "").strip().rpartition("\n")[2] if record.state == State.FAILED else None
        rows.append(
            {"member": record.name, **record.labels, "seed": record.seed, "state": record.state.value}
            | {name: notes.get(name) for name in ("parameters", "epochs", "seconds", "resumed")}
            # A factor can have the name of a loss: `compile.loss`.
            | {
                f"final_{name}" if name in record.labels else name: value
                for name, value in notes.get("losses", {}).items()
            }
            | {f"floor_of_{name}": value for name, value in notes.get("floors", {}).items()}
            | {"error": error, "run": notes.get("run")}
        )
    return pd.DataFrame(rows)


def interval(values: Sequence[float]) -> Interval:
    """Mean and 95 % confidence interval of a few values, by Student's t with n - 1 degrees of freedom."""
    n = len(values)
    mean = float(np.mean(values))
    if n < 2:
        return Interval(mean, None, n)
    quantile = float(stats.t.ppf((1 + _CONFIDENCE) / 2, n - 1))
    return Interval(mean, quantile * float(np.std(values, ddof=1)) / math.sqrt(n), n)


def _groups(records: Sequence[Record]) -> dict[str, list[Record]]:
    """The members of each combination by its title, `latent_dim=2`."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        title = ", ".join(f"{factor}={label}" for factor, label in record.labels.items())
        groups.setdefault(title, []).append(record)
    return {title: sorted(group, key=lambda record: record.seed) for title, group in groups.items()}


def _rows(folder: Path, groups: dict[str, list[Record]], losses: list[str]) -> list[Row]:
    finished = {title: [r for r in group if r.state == State.FINISHED] for title, group in groups.items()}
    large = sum(bool(group) for group in finished.values()) * len(_SHOWN)
    small = sum(max(0, len(group) - 1) for group in finished.values()) * len(_SHOWN)
    limit = _PICTURE_BYTES / max(1.0, large + _SMALL_SHARE * small)
    rows = []
    for title, group in groups.items():
        done = finished[title]
        # A member that went on after it was killed does not know the time of its first half.
        seconds = [record.notes["seconds"] for record in done if not record.notes["resumed"]]
        floors = [record.notes["floors"].get("val_reconstruction_loss") for record in done]
        rows.append(
            Row(
                title=title,
                labels=list(group[0].labels.values()),
                parameters=done[0].notes["parameters"] if done else None,
                seeds=f"{len(done)} of {len(group)}",
                losses=[_over_seeds(done, name) for name in losses],
                floor=float(np.mean(floors)) if floors and None not in floors else None,
                seconds=float(np.mean(seconds)) if seconds else None,
                large=_shown(folder, done[:1], limit, None),
                small=_shown(folder, done[1:], limit * _SMALL_SHARE, _SMALL_WIDTH),
            )
        )
    return rows


def _over_seeds(records: Sequence[Record], loss: str) -> str:
    values = [record.notes["losses"][loss] for record in records if loss in record.notes["losses"]]
    return str(interval(values)) if values else ""


def _shown(folder: Path, records: Sequence[Record], limit: float, width: int | None) -> list[Picture]:
    found = [
        (record, folder / "members" / record.name / file, caption) for record in records for file, caption in _SHOWN
    ]
    return [
        Picture(record.name, f"seed {record.seed}, {caption}", _embedded(path, int(limit), width))
        for record, path, caption in found
        if path.is_file()
    ]


def _embedded(path: Path, limit: int, width: int | None) -> str:
    """A PNG file as a data URL of at most so many bytes: unchanged where it fits, or else smaller, as JPEG."""
    content, kind = path.read_bytes(), "png"
    if width is not None or len(content) > limit:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        if width is not None:
            image.thumbnail((width, width))
        content, kind = _jpeg(image), "jpeg"
        while len(content) > limit and min(image.size) > 64:
            image = image.resize((image.width * 3 // 4, image.height * 3 // 4))
            content = _jpeg(image)
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def _curves(folder: Path, groups: dict[str, list[Record]]) -> list[Picture]:
    """The losses over the epochs, for the combinations whose runs are here."""
    histories: dict[str, list[pd.DataFrame]] = {}
    for title, group in groups.items():
        files = [folder / "members" / r.name / "history.csv" for r in group if r.state == State.FINISHED]
        found = [pd.read_csv(file) for file in files if file.is_file()]
        if found:
            histories[title] = found
    pictures = []
    for key, name in _CURVES.items():
        if histories and all(key in history for group in histories.values() for history in group):
            path = loss_curves(histories, key, folder / f"{key}_curves.png")
            caption = (
                f"{name}, mean over the seeds in a band from the smallest to the largest; dashed on held-out data."
            )
            pictures.append(picture(path, key.replace("_", " ").capitalize(), caption))
    return pictures


def _real(folder: Path, records: Sequence[Record]) -> Picture | None:
    files = (folder / "members" / record.name / "real.png" for record in records if record.state == State.FINISHED)
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        return None
    caption = f"Held-out data of {file.parent.name}, never trained on, to judge the samples by."
    return Picture("Real", caption, _embedded(file, _PICTURE_BYTES // 10, None))


def _links(folder: Path, record: Record) -> dict[str, Any]:
    """Links to a member's own report and log, where they are in the folder of the study."""
    files = {"report": Path("members", record.name, "report.html"), "log": Path("members", f"{record.name}.log.txt")}
    return {name: quote(path.as_posix()) for name, path in files.items() if (folder / path).is_file()}
