"""The result of an evaluation: a table that prints, and goes into JSON, pandas or a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Score:
    """One metric of one set of samples.

    Attributes:
        name: Name of the metric.
        title: What it measures.
        value: Generated against real; None where it cannot be computed.
        low: Lower end of its 95 % interval.
        high: Upper end.
        floor: The same metric of real against real samples, mean over splits by image; None where there is none.
        floor_range: The least and the greatest of the splits.
        baselines: The same metric of samples that nobody had to train a model for, by name.
        generated: Where the generated samples lie, such as their mean grain diameter.
        real: Where the real ones lie.
        unit: Unit of all of them.
        better: `"lower"` or `"higher"`.
        reason: Why the metric, or its floor, cannot be computed.
        outcome: The verdict in words, where it does not follow from value and floor alone.
        passed: Whether that is a good one.
    """

    name: str
    title: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    floor: float | None = None
    floor_range: tuple[float, float] | None = None
    baselines: Mapping[str, float] = field(default_factory=dict)
    generated: float | None = None
    real: float | None = None
    unit: str = ""
    better: str = "lower"
    reason: str | None = None
    outcome: str | None = None
    passed: bool | None = None

    @property
    def at_floor(self) -> bool:
        """Whether samples are as good as real ones by this metric."""
        if self.value is None or self.floor is None:
            return False
        return self.value <= self.floor if self.better == "lower" else self.value >= self.floor

    @property
    def good(self) -> bool:
        """Whether the verdict is a good one."""
        return self.at_floor if self.passed is None else self.passed

    @property
    def verdict(self) -> str:
        """The value against the floor, in words."""
        if self.value is None:
            return f"cannot be computed: {self.reason}"
        if self.outcome is not None:
            return self.outcome
        if self.floor is None:
            return f"no floor: {self.reason}" if self.reason else ""
        if self.at_floor:
            return "at the floor"
        if self.better == "higher":
            return f"{self.value / self.floor:.2f} x what real samples have"
        # An unbiased distance scatters around 0 for equal sets: no ratio to that.
        least, greatest = self.floor_range or (self.floor, self.floor)
        if self.value <= greatest:
            return "within the range of the floor"
        return f"{self.value / self.floor:.1f} x the floor" if least > 0 else "above the floor"


@dataclass(frozen=True)
class Evaluation:
    """Scores of a set of generated samples, and what they are scores of.

    Attributes:
        scores: One for each metric, in the order that was asked for.
        about: Numbers of samples and images, seeds, sizes, settings.
        notes: What a reader has to know, in sentences.
    """

    scores: tuple[Score, ...]
    about: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Score:
        """The score of a metric."""
        for score in self.scores:
            if score.name == name:
                return score
        raise KeyError(name)

    def __iter__(self) -> Any:
        return iter(self.scores)

    def __str__(self) -> str:
        """The table as text."""
        baselines = list(dict.fromkeys(name for score in self.scores for name in score.baselines))
        rows = [["metric", "value", "95 % interval", "floor", *baselines, "samples", "real", "unit", ""]]
        for score in self.scores:
            rows.append(
                [
                    score.name,
                    number(score.value),
                    span(score.low, score.high),
                    number(score.floor),
                    *(number(score.baselines.get(name)) for name in baselines),
                    number(score.generated),
                    number(score.real),
                    score.unit,
                    score.verdict,
                ]
            )
        known = {key: value for key, value in self.about.items() if value is not None}
        about = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in known.items())
        return "\n".join([*align(_without_empty_columns(rows)), "", about, *self.notes])

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        scores = {
            score.name: {**asdict(score), "at_floor": score.at_floor, "verdict": score.verdict} for score in self.scores
        }
        return {"scores": scores, "about": dict(self.about), "notes": list(self.notes)}

    def to_frame(self) -> pd.DataFrame:
        """One row for each metric."""
        import pandas as pd

        rows = []
        for score in self.scores:
            row = {
                key: value
                for key, value in asdict(score).items()
                if key not in ("baselines", "floor_range", "outcome", "passed")
            }
            row |= {f"baseline_{name}": value for name, value in score.baselines.items()}
            rows.append({**row, "at_floor": score.at_floor, "verdict": score.verdict})
        return pd.DataFrame(rows).set_index("name")


def number(value: float | None) -> str:
    """A number with three digits, or nothing."""
    return "" if value is None else f"{value:.3g}"


def span(low: float | None, high: float | None) -> str:
    """An interval, or nothing."""
    return "" if low is None or high is None else f"{low:.3g} to {high:.3g}"


def align(rows: list[list[str]]) -> list[str]:
    """Rows of cells as lines with columns below each other."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _without_empty_columns(rows: list[list[str]]) -> list[list[str]]:
    used = [column for column in range(len(rows[0])) if any(row[column] for row in rows[1:])]
    return [[row[column] for column in used] for row in rows]
