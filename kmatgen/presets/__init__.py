"""Presets: named, complete configurations of a training run, as Python data.

A preset holds only what differs from `DEFAULTS`. `resolve` gives the whole configuration, which is what
a run writes to `config.json` and can be repeated from.
"""

from __future__ import annotations

import copy
from typing import Any

from kmatgen.errors import InputError
from kmatgen.presets.paths import filled_in, leaves, merge, parse_setting, set_path
from kmatgen.presets.settings import DEFAULTS, FROM_DATA, Config
from kmatgen.presets.studies import STUDIES
from kmatgen.presets.table import PRESETS

__all__ = [
    "DEFAULTS",
    "FROM_DATA",
    "PRESETS",
    "STUDIES",
    "Config",
    "filled_in",
    "leaves",
    "parse_setting",
    "resolve",
    "set_path",
]


def resolve(preset: str, overrides: dict[str, Any] | None = None) -> Config:
    """The whole configuration of a preset.

    Args:
        preset: Name of the preset.
        overrides: Values by dotted path, such as `{"fit.epochs": 50}`.

    Raises:
        InputError: There is no such preset or path, or a value has the wrong type.
    """
    if preset not in PRESETS:
        raise InputError(f"A preset is one of {', '.join(sorted(PRESETS))}. Received: {preset!r}.")
    config = copy.deepcopy(DEFAULTS)
    merge(config, copy.deepcopy(PRESETS[preset][1]))
    config["preset"] = preset
    for path, value in (overrides or {}).items():
        if path == "preset" and value != preset:
            raise InputError(f"A preset is named, it is no setting. Received: preset={value!r} for {preset}.")
        set_path(config, path, value)
    return config
