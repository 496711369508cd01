"""Unit cells of CIF text: gemmi reads them, pymatgen what gemmi cannot."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import gemmi

from kmatgen.data.cleaning import (
    DISORDERED,
    MISSING_ATOMS,
    MISSING_COORDINATES,
    TOO_MANY_SITES,
    UNKNOWN_ELEMENT,
    UNREADABLE,
    ZERO_VOLUME,
    Refusal,
)
from kmatgen.data.crystal_cif_symmetry import NotForGemmi, declared_group, distinct_sites
from kmatgen.data.crystal_cif_text import cif_blocks, cif_text
from kmatgen.representations.elements import HEAVIEST

# An occupancy further from 1 is a disordered site: refinements print 0.999 or 1.001 for a full one.
_FULL = 2e-3
_NUMBERS = {"D": 1, **{gemmi.Element(number).name: number for number in range(1, HEAVIEST + 1)}}
_SYMBOLS = re.compile(r"[A-Z][a-z]?+(?!0+(?:[^.\d]|$))")  # in a formula, without those of which there are 0
_CAPITALS = re.compile(r"[A-Z]{2}")
_CELL = tuple(f"_cell_length_{name}" for name in "abc") + tuple(
    f"_cell_angle_{name}" for name in ("alpha", "beta", "gamma")
)
_PLACE = tuple(f"_atom_site_fract_{axis}" for axis in "xyz")


class UnitCell(NamedTuple):
    """All atoms of one cell.

    Attributes:
        lattice: a, b, c in Angstrom, alpha, beta, gamma in degrees.
        numbers: Atomic numbers.
        coords: Fractional coordinates, three for each atom.
        space_group: Number that the file declares, 0 where it declares none.
        name: Name inside the file, where a file may hold several.
        properties: Numbers that the file gives beside the crystal.
    """

    lattice: tuple[float, ...]
    numbers: list[int]
    coords: list[list[float]]
    space_group: int = 0
    name: str = ""
    properties: dict[str, float] = {}


def cells_of_cif(content: bytes | str, most_sites: int) -> list[UnitCell | tuple[str, Refusal]]:
    """The cell of each data block that holds atoms, with all images of its sites.

    Args:
        content: The text, or the bytes of a file in any encoding.
        most_sites: Cells with more atoms are refused.

    Returns:
        For each block its cell, or its name and why it is refused.

    Raises:
        Refusal: Nothing in the text can be read.
    """
    text = cif_text(content)
    try:
        blocks = cif_blocks(text)
    except (ValueError, RuntimeError) as error:
        return _through_pymatgen(text, most_sites, str(error))
    if len(blocks) > 1:
        blocks = [block for block in blocks if block.find_values(_CELL[0])] or blocks[:1]
    found: list[UnitCell | tuple[str, Refusal]] = []
    for block in blocks:
        try:
            found += _cells_of_block(block, most_sites)
        except Refusal as refusal:
            found.append((block.name, refusal))
    return found


def check_count(sites: int, most_sites: int) -> None:
    """Refuse a cell without atoms or with too many."""
    if not sites:
        raise Refusal(MISSING_COORDINATES, "There are no atoms.")
    if sites > most_sites:
        raise Refusal(TOO_MANY_SITES, f"{sites} sites; at most {most_sites} are taken.")


def _cells_of_block(block: gemmi.cif.Block, most_sites: int) -> list[UnitCell | tuple[str, Refusal]]:
    try:
        return [_cell_of_block(block, most_sites)]
    except (NotForGemmi, ValueError, RuntimeError) as error:  # the last two are gemmi's, about single values
        return _through_pymatgen(block.as_string(), most_sites, str(error))


def _cell_of_block(block: gemmi.cif.Block, most_sites: int) -> UnitCell:
    structure = gemmi.make_small_structure_from_block(block)
    for tag in _PLACE:
        if not block.find_values(tag):
            raise Refusal(MISSING_COORDINATES, f"There are no fractional coordinates ({tag}).")
    check_count(len(structure.sites), most_sites)
    _check_cell(structure, block)
    numbers, occupancies, coords = _columns(structure.sites)
    if min(numbers) == 0 and _named_by_labels(block):
        return _cell_of_block(block, most_sites)
    # One sum over all coordinates is not finite if one of them is not.
    full = min(occupancies) >= 1.0 - _FULL and max(occupancies) <= 1.0 + _FULL
    if not (full and min(numbers) > 0 and math.isfinite(sum(map(sum, coords)))):
        _refuse_sites(structure)
    _check_formula(block, numbers)
    number = declared_group(structure, block)
    if structure.cell.images:
        numbers, _, coords = _columns(structure.get_all_unit_cell_sites())
        rows = distinct_sites(structure.cell, numbers, coords)
        numbers, coords = [numbers[row] for row in rows], [coords[row] for row in rows]
        check_count(len(numbers), most_sites)
    return UnitCell(structure.cell.parameters, numbers, coords, number, block.name)


def _check_cell(structure: gemmi.SmallStructure, block: gemmi.cif.Block) -> None:
    missing = [tag for tag in _CELL if block.find_value(tag) is None]
    if missing:
        raise Refusal(ZERO_VOLUME, f"The cell is incomplete; {missing[0]} is missing.")
    if not math.isfinite(sum(structure.cell.parameters)):
        wrong = next(tag for tag, size in zip(_CELL, structure.cell.parameters, strict=True) if not math.isfinite(size))
        raise Refusal(UNREADABLE, f"{wrong} is no number: {block.find_value(wrong)}.")


def _named_by_labels(block: gemmi.cif.Block) -> bool:
    """Take symbols of sites that are left open, as ? or ., from their labels; says whether there are any."""
    symbols, labels = (block.find_values(f"_atom_site_{name}") for name in ("type_symbol", "label"))
    unnamed = [row for row, symbol in enumerate(symbols) if symbol in ("?", ".") and labels[row] not in ("?", ".")]
    for row in unnamed:
        symbols[row] = labels[row]
    return bool(unnamed)


def _check_formula(block: gemmi.cif.Block, numbers: list[int]) -> None:
    """Refuse sites without one of the elements of the formula, such as the hydrogen that X-rays did not show."""
    formula = block.find_value("_chemical_formula_sum") or ""
    absent = set(map(_NUMBERS.get, _SYMBOLS.findall(formula))).difference(numbers)
    # What is no formula, or one as SI O2, says nothing.
    if absent and None not in absent and not _CAPITALS.search(formula):
        symbol = gemmi.Element(min(absent)).name
        raise Refusal(MISSING_ATOMS, f"No site holds {symbol}, which is in the formula {gemmi.cif.as_string(formula)}.")


def _columns(sites: gemmi.SmallStructure.SiteList) -> tuple[list[int], Sequence[float], list[list[float]]]:
    """Atomic numbers, occupancies and coordinates, in one pass: making Python objects of sites is what takes time."""
    rows = [(site.element.atomic_number, site.occ, site.fract.tolist()) for site in sites]
    numbers, occupancies, coords = zip(*rows, strict=True)
    return list(numbers), occupancies, list(coords)


def _refuse_sites(structure: gemmi.SmallStructure) -> None:
    """Say which site cannot be used, and why."""
    for site in structure.sites:
        if not math.isfinite(sum(site.fract.tolist())):
            raise Refusal(MISSING_COORDINATES, f"A coordinate of site {site.label or '?'} is missing or no number.")
        if site.element.atomic_number == 0:
            held = site.type_symbol or site.label
            raise Refusal(UNKNOWN_ELEMENT, f"Site {site.label} holds {held!r}." if held else "A site has no symbol.")
        if abs(site.occ - 1.0) > _FULL:
            raise Refusal(DISORDERED, f"Site {site.label} has an occupancy of {site.occ:g}.")


def _through_pymatgen(text: str, most_sites: int, complaint: str) -> list[UnitCell | tuple[str, Refusal]]:
    from pymatgen.io.cif import CifParser

    from kmatgen.data.crystal_files import cell_of_structure

    complaint = " ".join(complaint.split())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parser = CifParser.from_str(text)
            structures = parser.parse_structures(primitive=False, on_error="raise")
    except Exception as error:  # its parser raises whatever the text makes it stumble over
        raise Refusal(UNREADABLE, f"gemmi: {complaint}; pymatgen: {error!r}"[:300]) from error
    if any("Defaulting to P1" in warning for warning in parser.warnings):
        raise Refusal(UNREADABLE, f"The symmetry is not known: {complaint}")
    found: list[UnitCell | tuple[str, Refusal]] = []
    for structure in structures:
        try:
            found.append(cell_of_structure(structure, most_sites))
        except Refusal as refusal:
            found.append((structure.formula, refusal))
    if not found:
        raise Refusal(UNREADABLE, f"gemmi: {complaint}; pymatgen finds no structure."[:300])
    return found
