"""What a metric is: a description of each sample, and a comparison of two sets of descriptions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from kmatgen.errors import InputError
from kmatgen.evaluation.view import View

# What a table holds where nothing else is asked for.
DEFAULT = (
    "two_point",
    "phase_fraction",
    "lineal_path",
    "chord_length",
    "specific_surface",
    "grain_size",
    "kid",
    "mmd",
    "prdc",
    "memorisation",
    "memorisation_patterns",
)

# What describes n samples: numbers (n, k), or an object array (n,) that holds an array of any length for each.
Described = np.ndarray


@dataclass(frozen=True, eq=False)
class Metric:
    """A metric of samples against real ones.

    The two steps are apart because describing is slow and comparing is fast: each sample is described once, then
    real against generated, real against real and resampled sets are all compared from the descriptions.

    Attributes:
        name: Its name, in tables and as `val_NAME` in logs.
        title: What it measures, in a few words.
        describe: From a view of n samples to n descriptions, along the first axis.
        compare: From descriptions of real and of generated samples to a number.
        better: `"lower"` for distances, `"higher"` for shares such as coverage.
        unit: `""` for a plain number, `"length"` for one in the unit of lengths, `"1/length"` for its inverse.
        least: Samples of a kind that it takes.
        repeats: Whether a sample may count twice. Where it may not, intervals come from subsets without repeats.
        training: Whether the comparison takes the descriptions of all training samples, too, as its third argument.
        bounds: The least and the greatest value that there can be.
        level: A number that says where a set lies by itself, such as its mean grain diameter.
    """

    name: str
    title: str
    describe: Callable[[View], Described]
    compare: Callable[..., float]
    better: str = "lower"
    unit: str = ""
    least: int = 2
    repeats: bool = True
    training: bool = False
    bounds: tuple[float, float] = (0.0, np.inf)
    level: Callable[[Described], float] | None = None

    def __call__(self, real: Described, generated: Described, *training: Described) -> float:
        """Compare descriptions, of real and of generated samples, and where it takes them of training samples.

        Raises:
            InputError: There are too few samples, or the result is not a finite number.
        """
        for kind, described in (("real", real), ("generated", generated)):
            if len(described) < self.least:
                raise InputError(
                    f"{self.name} takes at least {self.least} {kind} samples; ask for more. Received: {len(described)}."
                )
        value = float(self.compare(real, generated, *training))
        if not np.isfinite(value):
            raise InputError(f"{self.name} has no finite value for these samples. Received: {value}.")
        return value


def ragged(parts: Iterable[np.ndarray]) -> np.ndarray:
    """Arrays of any length, one a sample, as an object array that can be indexed by sample."""
    arrays = [np.asarray(part, np.float64) for part in parts]
    result = np.empty(len(arrays), object)
    result[:] = arrays
    return result


def pooled(described: Described) -> np.ndarray:
    """All values of all samples along one axis."""
    if described.dtype == object:
        return np.concatenate(list(described)) if len(described) else np.empty(0)
    return described.reshape(-1)


def get_metrics(identifiers: str | Metric | Sequence[str | Metric]) -> list[Metric]:
    """The metrics of these names, in order; a `Metric` of one's own may stand between them.

    Raises:
        InputError: No metric has such a name.
    """
    table = {name: (metric,) for name, metric in _named().items()}
    table["prdc"] = tuple(table[name][0] for name in ("precision", "recall", "density", "coverage"))
    if isinstance(identifiers, (str, Metric)):
        identifiers = [identifiers]
    if not isinstance(identifiers, Sequence):
        raise InputError(f"Metrics are a name, or a list of names and Metrics. Received: {identifiers!r}.")
    found: list[Metric] = []
    for identifier in identifiers:
        if isinstance(identifier, Metric):
            found.append(identifier)
        elif identifier in table:
            found += table[identifier]
        else:
            raise InputError(f"A metric is one of {', '.join(sorted(table))}, or a Metric. Received: {identifier!r}.")
    return found


def is_named(metric: Metric) -> bool:
    """Whether a metric is the one that its name stands for here, and not one of the user's own under any name."""
    return _named().get(metric.name) is metric


def _named() -> dict[str, Metric]:
    """The metrics that can be asked for by name."""
    from kmatgen.evaluation.physical import PHYSICAL
    from kmatgen.evaluation.statistical import STATISTICAL

    return {metric.name: metric for metric in (*PHYSICAL, *STATISTICAL)}
