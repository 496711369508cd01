"""Settings by dotted path: read, checked, changed, filled in."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from kmatgen.errors import InputError
from kmatgen.presets.settings import DEFAULTS, FROM_DATA, LEAST, MAY_BE_NULL, Config


def merge(config: Config, changes: Config) -> None:
    """Put changes into a configuration, dict by dict."""
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(config.get(key), dict):
            merge(config[key], value)
        else:
            config[key] = value


def set_path(config: Config, path: str, value: Any) -> None:
    """Change one value of a configuration in place, by its dotted path; the path must exist.

    A whole number is taken where a fraction is expected; otherwise the type stays what it was, except that
    `None` may become anything, and what is no number and not in `DEFAULTS` may become `None`.

    Raises:
        InputError: There is no such path, or it does not take such a value.
    """
    node, last = _holder(config, path)
    old = node[last]
    if isinstance(old, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if value is None:
        default = dict(leaves(DEFAULTS)).get(path, old if isinstance(old, int | float) else None)
        fits = default is None or path in MAY_BE_NULL or last in MAY_BE_NULL
    else:
        fits = old is None or fact_of(path, old) is not None or type(value) is type(old)
    if not fits:
        raise InputError(f"{path} takes a value like {json.dumps(old)}. Received: {json.dumps(value)}.")
    least = LEAST.get(path, LEAST.get(last))
    if least is not None and isinstance(value, int | float) and value < least:
        raise InputError(f"{path} is at least {least}. Received: {json.dumps(value)}.")
    node[last] = value


def _holder(config: Config, path: str) -> tuple[Config, str]:
    """The part of a configuration that a path ends in, and the path's last name there."""
    node, *parents = config, *path.split(".")
    for depth, name in enumerate(parents):
        if not isinstance(node, dict) or name not in node:
            where = ".".join(parents[:depth])
            known = ", ".join(node) if isinstance(node, dict) and node else "nothing"
            within = f"{where} has the settings {known}" if where else f"A setting begins with one of {known}"
            raise InputError(f"{within}. Received: {path!r}.")
        if depth < len(parents) - 1:
            node = node[name]
    return node, parents[-1]


def filled_in(config: Any, facts: Mapping[str, Any]) -> Any:
    """A part of a configuration with what it leaves to the data (`FROM_DATA`) filled in.

    Args:
        config: Any part: a dict, a list, a value.
        facts: What the data know, by the name of the argument.

    Raises:
        InputError: The data do not know it.
    """
    if isinstance(config, list):
        return [filled_in(value, facts) for value in config]
    if not isinstance(config, dict):
        return copy.deepcopy(config)
    wanted = {key: fact_of(key, value) for key, value in config.items()}
    unknown = [fact for fact in wanted.values() if fact is not None and fact not in facts]
    if unknown:
        raise InputError(
            f"{unknown[0]} is taken from the data; choose data that have one with data.condition=class or "
            f"data.condition=phase_fraction, or set it. Received: data without a {unknown[0]}."
        )
    return {
        key: facts[wanted[key]] if wanted[key] is not None else filled_in(value, facts) for key, value in config.items()
    }


def fact_of(key: str, value: Any) -> str | None:
    """Name of the fact that a setting leaves to the data: its own, or after `FROM_DATA:` another; else None."""
    if value == FROM_DATA:
        return key
    is_named = isinstance(value, str) and value.startswith(f"{FROM_DATA}:")
    return value.removeprefix(f"{FROM_DATA}:") if is_named else None


def parse_setting(text: str) -> tuple[str, Any]:
    """`"compile.kl_weight=0.1"` as path and value; the value is read as JSON, or else as text."""
    path, equals, raw = text.partition("=")
    if not equals:
        raise InputError(f"A setting is written PATH=VALUE, such as compile.kl_weight=0.1. Received: {text!r}.")
    try:
        # NaN and Infinity, which Python would read, are text as for everybody else: no setting takes them.
        return path, json.loads(raw, parse_constant=str)
    except json.JSONDecodeError:
        return path, raw


def leaves(config: Config, prefix: str = "") -> list[tuple[str, Any]]:
    """Every setting of a configuration as (dotted path, value)."""
    found = []
    for key, value in config.items():
        if isinstance(value, dict) and value:
            found += leaves(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", value))
    return found
