"""From two sets of samples and a metric to one row of the table: value, interval, floor, baselines."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest

from kmatgen.errors import InputError
from kmatgen.evaluation.cache import Cache
from kmatgen.evaluation.inputs import Real, check_same_shape
from kmatgen.evaluation.metric import Described, Metric
from kmatgen.evaluation.resampling import floor_values, interval, some_of_each
from kmatgen.evaluation.statistical import pixels
from kmatgen.evaluation.table import Evaluation, Score
from kmatgen.evaluation.view import Eye, Settings, View, as_samples
from kmatgen.metrics.frechet import FewSamplesWarning
from kmatgen.metrics.memorisation import NearestTraining, nearest_training

# Real samples, evenly spread, from which colours and principal components are learnt: more cost time and add little.
_LEARNT_FROM = 1024
SHUFFLED, RESAMPLED, OTHERS = "shuffled pixels", "training images", "other real images"


@dataclass(frozen=True)
class Effort:
    """How much is spent on floors and intervals.

    Attributes:
        splits: Splits by image that a floor is the mean of.
        resamples: Resampled sets that an interval comes from.
        seed: Of all of them.
    """

    splits: int = 10
    resamples: int = 100
    seed: int = 0


class Judge:
    """Real samples made ready: described once, they are compared with any number of models.

    Args:
        real: The real samples.
        settings: How to look at samples.
        n: Samples on a side of every comparison, at most.
        effort: What to spend.
        cache: Where descriptions of the real samples are kept.
    """

    def __init__(self, real: Real, settings: Settings, n: int, effort: Effort, cache: Cache) -> None:
        rng = np.random.default_rng(effort.seed)
        held_out = _at_most(len(real.held_out), n, rng)
        others = _stand_ins(real, held_out, n, rng)
        self.real, self.settings, self.n, self.effort, self.cache = real, settings, n, effort, cache
        self.count = len(held_out)
        self.samples = np.concatenate([real.held_out[held_out], real.others[others]])
        self.groups = np.concatenate([real.held_out_groups[held_out], real.others_groups[others]])
        self.eye = Eye(settings, self.samples[:: -(-len(self.samples) // _LEARNT_FROM)])
        self.view = View(self.samples, self.eye)
        self.baseline_views = {SHUFFLED: View(shuffled(self.samples[: self.count], effort.seed), self.eye)}
        # By the metric itself: two of the user's may have the same name.
        self._described: dict[Metric, Described] = {}
        self._floors: dict[tuple[Metric, int], np.ndarray | InputError] = {}
        self._baselines: dict[Metric, dict[str, float]] = {}

    def described(self, metric: Metric) -> Described:
        """All real samples, the held-out ones first."""
        if metric not in self._described:
            self._described[metric] = self.cache.describe(metric, self.view)
        return self._described[metric]

    def floor(self, metric: Metric, generated: int) -> np.ndarray:
        """The metric of real against real samples, for several splits into sides as large as those of the value.

        Args:
            metric: The metric.
            generated: Number of generated samples.

        Raises:
            InputError: There is one image only, or the sides of a split are too small.
        """
        key = metric, generated
        if key not in self._floors:
            held_out = len(np.unique(self.groups[: self.count]))
            try:
                self._floors[key] = floor_values(
                    metric,
                    self.described(metric),
                    self.groups,
                    held_out / len(np.unique(self.groups)),
                    (self.count, generated),
                    self.effort.splits,
                    self.effort.seed,
                )
            except InputError as error:
                self._floors[key] = error
        found = self._floors[key]
        if isinstance(found, InputError):
            raise found
        return found

    def baselines(self, metric: Metric) -> dict[str, float]:
        """The metric of what costs no training: shuffled pixels, and training images drawn again."""
        if metric not in self._baselines:
            described = self.described(metric)
            held_out, others = described[: self.count], described[self.count :]
            drawn = np.random.default_rng(self.effort.seed).integers(0, len(others), min(self.n, len(others)))
            # Neighbour metrics would count a copy as a neighbour of its own.
            chosen = drawn if metric.repeats else np.unique(drawn)
            sets = {RESAMPLED if self.real.trained_on else OTHERS: lambda: others[chosen]}
            sets |= {name: lambda view=view: metric.describe(view) for name, view in self.baseline_views.items()}
            found = {}
            for name, make in sets.items():
                try:
                    found[name] = metric(held_out, make())
                except InputError:
                    # A baseline that has no such structure at all has no number, and its cell stays empty.
                    continue
            self._baselines[metric] = found
        return self._baselines[metric]

    def evaluate(self, samples: np.ndarray, metrics: Sequence[Metric]) -> Evaluation:
        """The table of a set of samples.

        Raises:
            InputError: The samples are of another size than the real ones, or out of range.
        """
        samples = as_samples("generated", samples)
        check_same_shape("generated", samples, "real", self.samples)
        view, notes, scores = View(samples, self.eye), list(self.real.notes), []
        for metric in metrics:
            score, warned = self.score(metric, view)
            scores.append(score)
            notes += warned
        return Evaluation(tuple(scores), self.about(len(samples)), tuple(dict.fromkeys(notes)))

    def about(self, generated: int) -> dict[str, Any]:
        """What a table is of."""
        settings = self.settings
        return {
            "generated": generated,
            "held_out" if self.real.trained_on else "real": self.count,
            "training" if self.real.trained_on else "other_real": len(self.samples) - self.count,
            "images": self.real.images,
            "sample_shape": "x".join(map(str, self.samples.shape[1:])),
            "pixel_size_um": settings.pixel_size,
            "segmentation": _name(settings.segment),
            "features": _name(settings.features),
            "splits": self.effort.splits,
            "seed": self.effort.seed,
        }

    def score(self, metric: Metric, generated: View) -> tuple[Score, list[str]]:
        """The row of a metric, and warnings; a metric that cannot be computed is a row that says why."""
        unit = {"": "", "length": self.settings.unit, "1/length": f"1/{self.settings.unit}"}.get(
            metric.unit, metric.unit
        )
        common = {"name": metric.name, "title": metric.title, "unit": unit, "better": metric.better}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", FewSamplesWarning)
            try:
                method = self._memorisation if metric.training else self._score
                score = method(metric, generated, common)
            except InputError as error:
                score = Score(**common, reason=str(error))
        return score, list(dict.fromkeys(str(entry.message) for entry in caught))

    def nearest(
        self, generated: np.ndarray, describe: Callable[[View], Described] = pixels, pairs: int = 8
    ) -> NearestTraining:
        """How near samples come to training samples, and which pairs are closest.

        Args:
            generated: The samples.
            describe: From a view of samples to the vectors between which distances are taken.
            pairs: How many of the closest pairs.

        Raises:
            InputError: The training samples are not known, or there are too few held-out ones.
        """
        if not self.real.trained_on:
            raise InputError(
                "Memorisation needs the samples that the model was trained on; give the run as the data, or a pair "
                f"of training and held-out samples. Received: {len(self.real.held_out)} real samples alone."
            )
        parts = (self.real.others, self.real.held_out, generated)
        return nearest_training(*(describe(View(part, self.eye)) for part in parts), pairs=pairs)

    def _memorisation(self, metric: Metric, generated: View, common: Mapping[str, str]) -> Score:
        """The share of samples that are too near; its floor is the share of held-out ones, by definition."""
        found = self.nearest(generated.samples, metric.describe)
        count = len(found.generated)
        ends = binomtest(round(found.share_below * count), count).proportion_ci(method="wilson")
        baselines = {RESAMPLED: self.real.others[: self.n], SHUFFLED: self.baseline_views[SHUFFLED].samples}
        return Score(
            **common,
            value=found.share_below,
            low=float(ends.low),
            high=float(ends.high),
            floor=float((found.held_out < found.threshold).mean()),
            floor_range=(0.0, found.share_allowed),
            baselines={name: self.nearest(samples, metric.describe).share_below for name, samples in baselines.items()},
            generated=float(np.median(found.generated)),
            real=float(np.median(found.held_out)),
            outcome=_memorised(found),
            passed=found.passed,
        )

    def _score(self, metric: Metric, generated: View, common: Mapping[str, str]) -> Score:
        held_out, described = self.described(metric)[: self.count], metric.describe(generated)
        value = metric(held_out, described)
        _say_what_is_left_out(metric, real=held_out, generated=described)
        groups, effort = self.groups[: self.count], self.effort
        low, high = interval(metric, held_out, groups, described, value, effort.resamples, effort.seed)
        floor, spread, reason = None, None, None
        try:
            floors = self.floor(metric, len(generated.samples))
            floor, spread = float(floors.mean()), (float(floors.min()), float(floors.max()))
        except InputError as error:
            reason = str(error)
        levels = [None if metric.level is None else metric.level(part) for part in (described, held_out)]
        baselines = self.baselines(metric)
        return Score(
            **common,
            value=value,
            low=low,
            high=high,
            floor=floor,
            floor_range=spread,
            baselines=baselines,
            generated=levels[0],
            real=levels[1],
            reason=reason,
        )


def _say_what_is_left_out(metric: Metric, **kinds: Described) -> None:
    """Warn of samples that have no such objects, as a constant image has no grains: they count for nothing."""
    for kind, described in kinds.items():
        empty = sum(len(part) == 0 for part in described) if described.dtype == object else 0
        if empty:
            warnings.warn(
                f"{metric.name} leaves out {empty} of {len(described)} {kind} samples, which have nothing to measure.",
                FewSamplesWarning,
                stacklevel=2,
            )


def _memorised(found: NearestTraining) -> str:
    """The outcome of the check of memorisation in words."""
    if found.passed:
        return "passed: no nearer than held-out samples"
    if found.copies:
        return f"failed: {found.copies} near copies of training samples"
    return f"failed: up to {found.share_allowed:.1%} may be so near by chance"


def _name(choice: Any) -> str:
    """A setting in a word: its name, or that of the function that was given."""
    return choice if isinstance(choice, str) else getattr(choice, "__name__", type(choice).__name__)


def shuffled(samples: np.ndarray, seed: int) -> np.ndarray:
    """Each sample with its own pixels in another order: the same histogram, no structure."""
    rng = np.random.default_rng(seed)
    pixels = samples.reshape(len(samples), -1, samples.shape[-1])
    order = np.argsort(rng.random(pixels.shape[:2]), axis=1)
    return np.take_along_axis(pixels, order[..., None], axis=1).reshape(samples.shape)


def _at_most(count: int, n: int, rng: np.random.Generator) -> np.ndarray:
    return np.arange(count) if count <= n else np.sort(rng.permutation(count)[:n])


def _stand_ins(real: Real, held_out: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Rows of the other real samples: at least `n`, if there are, and of each image as many as of a held-out one.

    In a split for the floor any image may take the place of a held-out one.
    """
    of_an_image = -(-len(held_out) // len(np.unique(real.held_out_groups[held_out])))
    images = min(n, len(np.unique(real.others_groups)))
    return some_of_each(real.others_groups, images, max(of_an_image, -(-n // images)), rng)
