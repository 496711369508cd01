"""What a command line says of crystals: what they are to be, which one is given, and what of it is wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from kmatgen.errors import InputError

_OPTIONS = (
    click.option("--ask", multiple=True, metavar="NAME=VALUE", help="What crystals are to be; can be given again."),
    click.option("--guidance", type=float, help="How much a diffusion heeds --ask.  [2 if it can be guided]"),
    click.option("--near", type=click.Path(path_type=Path), metavar="FILE", help="Crystal that they are to resemble."),
    click.option("--strength", type=float, default=0.3, show_default=True, help="How far they go from --near."),
    click.option("--fixed", type=click.Path(path_type=Path), metavar="FILE", help="Crystal of which to keep parts."),
    click.option(
        "--hold",
        multiple=True,
        metavar="PART",
        help="Part of --fixed: lattice, species, coords, or of some sites, as coords=0,3; can be given again.",
    ),
)


def of_crystals(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of crystals to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def asked_of_crystals(wishes: dict[str, Any]) -> dict[str, Any]:
    """What the options of crystals say, as `write_asked` takes it; empty where none was given.

    Raises:
        InputError: One is written wrongly, or lacks the one that it goes with.
    """
    request = requested(wishes["ask"])
    asked = given_crystals(wishes["near"], wishes["strength"], wishes["fixed"], wishes["hold"])
    if request:
        asked["request"] = request
    if wishes["guidance"] is not None:
        asked["guidance"] = wishes["guidance"]
    return asked


def requested(wishes: Sequence[str]) -> dict[str, str]:
    """What is asked for, by name: `["band_gap=1.5"]` as `{"band_gap": "1.5"}`.

    Raises:
        InputError: One has no value.
    """
    for wish in wishes:
        if "=" not in wish:
            raise InputError(f"--ask takes NAME=VALUE, such as band_gap=1.5. Received: {wish}.")
    return dict(wish.split("=", 1) for wish in wishes)


def given_crystals(
    near: str | Path | None, strength: float, fixed: str | Path | None, hold: Sequence[str] | None
) -> dict[str, Any]:
    """What options of a command say of given crystals, as `kmatgen.crystals.generation.generate_crystals` takes it.

    Args:
        near: File of the crystal that generated ones resemble, if any.
        strength: How far they go from it, above 0 and at most 1.
        fixed: File of the crystal of which they have parts, if any.
        hold: Which, as for `parse_hold`; together with `fixed`.

    Raises:
        InputError: A file holds no crystal, or an option lacks the one that it goes with.
    """
    from kmatgen.data.crystal_known import parse_hold, read_known

    if bool(fixed) != bool(hold):
        raise InputError("--fixed FILE and --hold PART go together. Received: one without the other.")
    if not 0 < strength <= 1:
        raise InputError(f"--strength is above 0 and at most 1. Received: {strength}.")
    given: dict[str, Any] = {"near": read_known(near), "strength": strength} if near else {}
    return given | ({"fixed": read_known(fixed), "hold": parse_hold(hold)} if fixed and hold else {})
