"""`kmatgen data` and `kmatgen presets`: what there is to train on, and what to train."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from kmatgen.cli.startup import import_tensorflow
from kmatgen.errors import InputError

_MOST_COUNTS = 12  # of a line
_MOST_REFUSED = 20  # that are printed one by one


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--metadata", type=click.Path(path_type=Path), help="Csv with pixel sizes.  [metadata.csv in the folder]")
@click.option("--column", help="Csv column that holds the crystals.  [found by what it holds]")
@click.option("--refused", type=click.Path(path_type=Path), help="Write refused crystals and the reasons to this csv.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes that read crystals.")
@click.option("--strict", is_flag=True, help="Fail on the first file that cannot be used.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def data(
    source: Path,
    metadata: Path | None,
    column: str | None,
    refused: Path | None,
    jobs: int,
    strict: bool,
    as_json: bool,
) -> None:
    """Describe SOURCE, a folder of micrographs, a folder of crystals (CIF, POSCAR, JSON) or a csv table with a column
    of CIFs: counts, sizes, pixel sizes or space groups; what was refused and why.

    \b
    Examples:
      kmatgen data micrographs/
      kmatgen data cifs/ --refused refused.csv
      kmatgen data train.csv --json
    """
    from kmatgen.data.cleaning import check_report_file
    from kmatgen.data.crystal_entries import holds_crystals

    if refused is not None:
        check_report_file(refused)
    if holds_crystals(source):
        from kmatgen.data.crystals import read_crystals

        crystals = read_crystals(source, column=column, strict=strict, jobs=jobs, progress=not as_json)
        description = crystals.describe()
        if refused is not None:
            crystals.report.write_csv(refused)
    else:
        from kmatgen.data.inspection import find_micrographs

        files = find_micrographs(source, metadata=metadata, strict=strict, progress=not as_json, mixed=True)
        description = files.describe()
    if as_json:
        click.echo(json.dumps(description, indent=2))
        return
    for name, value in description.items():
        if name != "refused":
            click.echo(f"{name.replace('_', ' '):<18} {_one_line(value)}")
    if len(description.get("channels", ())) > 1:
        click.echo("These are trained on together with --channels 1 (luminance) or --channels 3 (colour).", err=True)
    report_refused(description)


@click.command()
def presets() -> None:
    """List the presets that can be trained, with their number of parameters and the time they take.

    The time is for training on 1000 samples in the preset's own size on 2 cores without a GPU, as measured once.

    \b
    Example:
      kmatgen presets
    """
    import_tensorflow()
    from kmatgen.presets import PRESETS
    from kmatgen.presets.cost import SECONDS_PER_1000, parameters

    click.echo(f"{'preset':<20}{'parameters':>12}{'s / 1000':>10}  description")
    for name, (description, _) in PRESETS.items():
        try:
            known = parameters(name)
        except InputError:  # of data that are not here
            known = None
        count = "by data" if known is None else f"{known:,}"
        seconds = f"{SECONDS_PER_1000[name]:.3g}" if name in SECONDS_PER_1000 else "-"
        click.echo(f"{name:<20}{count:>12}{seconds:>10}  {description}")


def report_refused(description: dict[str, Any]) -> None:
    """Say which files were skipped, and why."""
    refused = description.get("refused") or []
    if refused:
        click.echo(f"{len(refused)} skipped:", err=True)
    for entry in refused[:_MOST_REFUSED]:
        # Reasons of images name the file themselves.
        named = entry["reason"] if entry["file"] in entry["reason"] else f"{entry['file']}: {entry['reason']}"
        click.echo(f"  {named}", err=True)
    if len(refused) > _MOST_REFUSED:
        click.echo(f"  and {len(refused) - _MOST_REFUSED} more", err=True)


def _one_line(value: Any) -> str:
    if isinstance(value, dict) and {"min", "max"} <= value.keys():
        if value["min"] is None:
            return "unknown"
        known = f"known for {value['known']}: " if "known" in value else ""
        middle = f", median {_short(value['median'])}" if "median" in value else ""
        return known + f"{_short(value['min'])} to {_short(value['max'])}{middle}"
    if isinstance(value, dict):
        parts = [f"{name}: {_one_line(count)}" for name, count in value.items()]
        more = [f"and {len(parts) - _MOST_COUNTS} more"] if len(parts) > _MOST_COUNTS else []
        return ", ".join(parts[:_MOST_COUNTS] + more) or "none"
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "none" if value is None else str(value)


def _short(number: float | None) -> str:
    return "none" if number is None else f"{number:.4g}"
