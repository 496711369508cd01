"""One entry of a collection, whatever its format, read into unit cells."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kmatgen.data.cleaning import (
    DISORDERED,
    EMPTY,
    MISSING_COORDINATES,
    UNKNOWN_ELEMENT,
    UNREADABLE,
    Refusal,
    RefusedEntry,
)
from kmatgen.data.crystal_cif import UnitCell, cells_of_cif, check_count
from kmatgen.representations.crystal_table import right_handed_coords
from kmatgen.representations.elements import HEAVIEST

if TYPE_CHECKING:
    from pymatgen.core import Structure

SUFFIXES = {".cif": "cif", ".json": "json", ".poscar": "poscar", ".vasp": "poscar", ".mcif": "cif"}


NAMES = ("material_id", "id", "mp_id", "structure_id", "name")  # what an entry is named by, the best first


class Entry(NamedTuple):
    """Something to read.

    Attributes:
        origin: Where it stands, for tables and reports.
        content: Text, bytes, the path of a file, or a pymatgen structure.
        kind: "cif", "poscar", "json" or "structure"; "unreadable" where the content is why there is none.
        properties: Numbers that belong to it.
    """

    origin: str
    content: Any
    kind: str
    properties: dict[str, float] = {}


def file_kind(path: Path) -> str | None:
    """The format of a file by its name, None where that says nothing."""
    if path.name.upper().startswith(("POSCAR", "CONTCAR")):
        return "poscar"
    return SUFFIXES.get(path.suffix.lower())


def text_kind(text: str) -> str | None:
    """The format of a text by its beginning: "cif", "json", or None."""
    start = text.lstrip()[:4000]
    if start.startswith(("{", "[")):
        return "json"
    return "cif" if "_cell_length_a" in start or start.startswith("data_") else None


def numbers_in(notes: Mapping[str, Any]) -> dict[str, float]:
    """Those of some notes that are numbers."""
    numbers = {str(name): value for name, value in notes.items() if isinstance(value, (int, float, np.number))}
    return {name: float(value) for name, value in numbers.items() if not isinstance(value, bool)}


def read_entry(entry: Entry, most_sites: int) -> list[UnitCell | RefusedEntry]:
    """All cells of an entry; a CIF with several blocks and a JSON list have several.

    Args:
        entry: What to read.
        most_sites: Cells with more atoms are refused.

    Returns:
        Cells and refused entries.
    """
    try:
        content = entry.content.read_bytes() if isinstance(entry.content, Path) else entry.content
        found = _READERS[entry.kind](content, most_sites)
    except Refusal as refusal:
        return [refusal.at(entry.origin)]
    except OSError as error:
        return [RefusedEntry(entry.origin, UNREADABLE, reason_of(error))]
    except Exception as error:  # one strange file among 100,000 is a row of the report, not the end
        return [RefusedEntry(entry.origin, UNREADABLE, repr(error)[:300])]
    several = len(found) > 1
    return [
        cell if isinstance(cell, UnitCell) else cell[1].at(f"{entry.origin}#{cell[0]}" if several else entry.origin)
        for cell in found
    ]


def reason_of(error: OSError) -> str:
    """Why a file cannot be read, without where it lies."""
    return error.strerror or str(error)


def cell_of_structure(structure: Structure, most_sites: int) -> UnitCell:
    """The cell of a pymatgen structure.

    Raises:
        Refusal: It is disordered, has no atoms or too many, or lacks a coordinate.
    """
    if not structure.is_ordered:
        raise Refusal(DISORDERED, f"{structure.formula} has sites that are shared or partly occupied.")
    numbers = [getattr(site.specie, "Z", 0) for site in structure]
    coords = right_handed_coords(structure)
    check_count(len(numbers), most_sites)
    if not (min(numbers) > 0 and max(numbers) <= HEAVIEST):
        raise Refusal(UNKNOWN_ELEMENT, f"{structure.formula} has a site with no element of the periodic table.")
    if not np.isfinite(coords).all():
        raise Refusal(MISSING_COORDINATES, "A coordinate is missing.")
    return UnitCell(structure.lattice.parameters, numbers, coords.tolist())


def _from_structure(structure: Structure, most_sites: int) -> list[UnitCell]:
    return [cell_of_structure(structure, most_sites)]


def _from_poscar(content: bytes | str, most_sites: int) -> list[UnitCell]:
    from pymatgen.io.vasp import Poscar

    text = _decoded(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # A file of VASP 4 names no elements. pymatgen then makes them up, with this warning.
            warnings.filterwarnings("error", message=".*false names")
            structure = Poscar.from_str(text, read_velocities=False).structure
    except Exception as error:  # its parser raises whatever the text makes it stumble over
        raise Refusal(UNREADABLE, f"Not a POSCAR: {error!r}"[:300]) from error
    return [cell_of_structure(structure, most_sites)]


def _from_json(content: bytes | str, most_sites: int) -> list[UnitCell | tuple[str, Refusal]]:
    from pymatgen.core import Structure

    try:
        read = json.loads(_decoded(content))
    except json.JSONDecodeError as error:
        raise Refusal(UNREADABLE, f"Not JSON: {error}") from error
    found: list[UnitCell | tuple[str, Refusal]] = []
    for number, item in enumerate(read if isinstance(read, list) else [read]):
        document = item if isinstance(item, dict) else {}
        name = next((str(document[key]) for key in NAMES if key in document), str(number))
        item = document.get("structure", item)
        try:
            if isinstance(item, dict) and not {"lattice", "sites"} <= item.keys():
                raise Refusal(UNREADABLE, f"Not a pymatgen structure: {', '.join(item) or 'nothing'}."[:300])
            structure = Structure.from_dict(item)
            beside = numbers_in(document) if item is not document else {}
            properties = {key: value for key, value in beside.items() if key not in NAMES}
            properties |= numbers_in(structure.properties)
            found.append(cell_of_structure(structure, most_sites)._replace(name=name, properties=properties))
        except Refusal as refusal:
            found.append((name, refusal))
        except Exception as error:  # whatever a dict of another kind makes it stumble over
            found.append((name, Refusal(UNREADABLE, f"Not a pymatgen structure: {error!r}"[:300])))
    if not found:
        raise Refusal(EMPTY, "The list is empty.")
    return found


def _decoded(content: bytes | str) -> str:
    text = content.decode("utf-8-sig", errors="replace") if isinstance(content, bytes) else content
    if not text.strip():
        raise Refusal(EMPTY, "There is no text.")
    return text


def _unreadable(content: str, most_sites: int) -> list[UnitCell]:
    """An entry of which there is only why it could not be read."""
    raise Refusal(UNREADABLE, content)


_READERS = {
    "cif": cells_of_cif,
    "poscar": _from_poscar,
    "json": _from_json,
    "structure": _from_structure,
    "unreadable": _unreadable,
}
