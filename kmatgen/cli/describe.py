"""`kmatgen data` and `kmatgen presets`: what there is to train on, and what to train."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--metadata", type=click.Path(path_type=Path), help="Csv with pixel sizes.  [metadata.csv in the folder]")
@click.option("--strict", is_flag=True, help="Fail on the first file that cannot be used.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def data(folder: Path, metadata: Path | None, strict: bool, as_json: bool) -> None:
    """Describe FOLDER: counts, sizes, bit depths, data bars, pixel sizes; what was refused and why.

    \b
    Example:
      kmatgen data micrographs/
    """
    from kmatgen.data.inspection import find_micrographs

    description = find_micrographs(folder, metadata=metadata, strict=strict, progress=not as_json).describe()
    if as_json:
        click.echo(json.dumps(description, indent=2))
        return
    for name, value in description.items():
        if name != "refused":
            click.echo(f"{name.replace('_', ' '):<18} {_one_line(value)}")
    report_refused(description)


@click.command()
def presets() -> None:
    """List the presets that can be trained.

    \b
    Example:
      kmatgen presets
    """
    from kmatgen.presets import PRESETS

    for name, (description, _) in PRESETS.items():
        click.echo(f"{name:<14} {description}")


def report_refused(description: dict[str, Any]) -> None:
    """Say which files were skipped, and why."""
    refused = description.get("refused") or []
    if refused:
        click.echo(f"{len(refused)} files were skipped:", err=True)
    for entry in refused:
        click.echo(f"  {entry['file']}: {entry['reason']}", err=True)


def _one_line(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {count}" for name, count in value.items()) or "none"
    return "none" if value is None else str(value)
