"""The members of a study: every combination of its factors, once for each seed."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kmatgen.errors import InputError
from kmatgen.presets import Config, parse_setting, resolve

# For each factor, what each of its labels changes: {"latent_dim": {"2": {"networks...latent_dim": 2}, ...}}.
Factors = Mapping[str, Mapping[str, Mapping[str, Any]]]


class Member(NamedTuple):
    """One training of a study.

    Attributes:
        name: `latent_dim=2,seed=0`; also the name of its folder.
        labels: The label of each factor.
        seed: Seed of everything random in it.
        config: Its resolved configuration.
    """

    name: str
    labels: dict[str, str]
    seed: int
    config: Config


def grid(preset: str, factors: Factors, settings: Mapping[str, Any] | None = None, seeds: int = 3) -> list[Member]:
    """Every combination of the factors for seed 0, then for seed 1, and so on.

    In that order a study that is stopped early has all combinations with fewer seeds, and not fewer combinations.

    Args:
        preset: Name of the preset that all members start from.
        factors: For each factor its labels, and for each label the values it sets, by dotted path.
        settings: Values by dotted path that all members share.
        seeds: Number of seeds, at least 1.

    Raises:
        InputError: A setting does not exist or does not fit, or two parts of the grid contradict each other.
    """
    settings = dict(settings or {})
    _check(factors, settings, seeds)
    combinations = list(itertools.product(*(labels.items() for labels in factors.values())))
    members = []
    for seed, combination in itertools.product(range(seeds), combinations):
        labels = {factor: label for factor, (label, _) in zip(factors, combination, strict=True)}
        overrides = {path: value for _, changes in combination for path, value in changes.items()}
        # Members run side by side, each on one device, also where a study is started on several nodes.
        config = resolve(preset, {"strategy": "none", **settings, **overrides, "seed": seed})
        members.append(Member(_name(labels, seed), labels, seed, config))
    if len({member.name for member in members}) < len(members):
        raise InputError(
            "Labels must still differ where all but letters, digits and '.+-' is written as '_'. "
            f"Received: {json.dumps({factor: list(labels) for factor, labels in factors.items()})}."
        )
    return members


def parse_factors(texts: Sequence[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """`["compile.kl_weight=0.01,0.1"]` as factors, each named by the last part of its path where that is unique.

    Paths joined by `+` get the same value. Values are read as JSON, or else as text, so that
    `networks.encoder.config.filters=[16,32],[16,32,64]` is a factor too.

    Raises:
        InputError: There is no path or no value, or one comes twice.
    """
    factors: dict[str, dict[str, dict[str, Any]]] = {}
    for text in texts:
        joined, _, raw = text.partition("=")
        if not joined or not raw:
            raise InputError(f"A factor is written PATH=V1,V2, such as compile.kl_weight=0.01,0.1. Received: {text!r}.")
        try:
            values = json.loads(f"[{raw}]")
        except json.JSONDecodeError:
            values = [parse_setting(f"{joined}={part.strip()}")[1] for part in raw.split(",")]
        labels = {_label(value): dict.fromkeys(joined.split("+"), value) for value in values}
        if len(labels) < len(values):
            raise InputError(f"The values of a factor differ from each other. Received: {text!r}.")
        name = joined.split("+")[0].rsplit(".", 1)[-1]
        factors[joined if name in factors else name] = labels
    return factors


def _check(factors: Factors, settings: dict[str, Any], seeds: int) -> None:
    if seeds < 1:
        raise InputError(f"A study needs at least 1 seed. Received: {seeds}.")
    if not factors or not all(factors.values()):
        raise InputError(f"A study needs at least one factor with at least one label. Received: {dict(factors)}.")
    taken = dict.fromkeys(settings, "the settings of all members")
    if "seed" in settings or "seed" in factors:
        raise InputError("A study counts its seeds from 0; say how many instead of which. Received: seed.")
    for factor, labels in factors.items():
        paths = dict.fromkeys(path for changes in labels.values() for path in changes)
        for path in paths:
            if path == "seed":
                raise InputError(f"A study counts its seeds from 0; say how many. Received: {factor} sets seed.")
            if path in taken:
                raise InputError(f"{path} is set by {taken[path]} already. Received: the factor {factor}.")
        taken |= dict.fromkeys(paths, f"the factor {factor}")


def _label(value: Any) -> str:
    if isinstance(value, list):
        return "-".join(_label(part) for part in value)
    return value if isinstance(value, str) else json.dumps(value)


def _name(labels: Mapping[str, str], seed: int) -> str:
    parts = [f"{factor}={label}" for factor, label in labels.items()] + [f"seed={seed}"]
    return ",".join(re.sub(r"[^\w.+=-]", "_", part, flags=re.ASCII) for part in parts)
