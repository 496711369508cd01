"""Unit cells of CIF text: gemmi reads them, pymatgen what gemmi cannot."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import gemmi

from kmatgen.data.cleaning import (
    DISORDERED,
    EMPTY,
    MISSING_COORDINATES,
    TOO_MANY_SITES,
    UNKNOWN_ELEMENT,
    UNREADABLE,
    ZERO_VOLUME,
    Refusal,
)

# An occupancy further from 1 is a disordered site: refinements print 0.999 or 1.001 for a full one.
_FULL = 2e-3
_CELL = tuple(f"_cell_length_{name}" for name in "abc") + tuple(
    f"_cell_angle_{name}" for name in ("alpha", "beta", "gamma")
)
_MAGNETIC = tuple(f"_space_group_symop_magn_operation{mark}xyz" for mark in "._")


class UnitCell(NamedTuple):
    """All atoms of one cell.

    Attributes:
        lattice: a, b, c in Angstrom, alpha, beta, gamma in degrees.
        numbers: Atomic numbers.
        coords: Fractional coordinates, three for each atom.
        space_group: Number that the file declares, 0 where it declares none.
        name: Name inside the file, where a file may hold several.
    """

    lattice: tuple[float, ...]
    numbers: list[int]
    coords: list[list[float]]
    space_group: int = 0
    name: str = ""


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
    text = _text(content)
    try:
        blocks = list(gemmi.cif.read_string(text))
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


class _NotForGemmi(Exception):
    """gemmi reads the block, but not its symmetry."""


def plain_text(content: bytes) -> str:
    """Bytes as text in ASCII: other characters, which only comments and names may hold, become replacements."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    return content.removeprefix(b"\xef\xbb\xbf").decode("ascii", errors="replace")


def _text(content: bytes | str) -> str:
    text = plain_text(content) if isinstance(content, bytes) else content
    # gemmi refuses other characters in the names of sites.
    if not text.isascii():
        text = text.lstrip("\ufeff").encode("ascii", errors="replace").decode("ascii")
    if not text.strip():
        raise Refusal(EMPTY, "There is no text.")
    return text


def _cells_of_block(block: gemmi.cif.Block, most_sites: int) -> list[UnitCell | tuple[str, Refusal]]:
    try:
        return [_cell_of_block(block, most_sites)]
    except (_NotForGemmi, ValueError, RuntimeError) as error:  # the last two are gemmi's, about single values
        return _through_pymatgen(block.as_string(), most_sites, str(error))


def _cell_of_block(block: gemmi.cif.Block, most_sites: int) -> UnitCell:
    structure = gemmi.make_small_structure_from_block(block)
    if not block.find_values("_atom_site_fract_x"):
        raise Refusal(MISSING_COORDINATES, "There are no fractional coordinates (_atom_site_fract_x).")
    check_count(len(structure.sites), most_sites)
    missing = [tag for tag in _CELL if block.find_value(tag) is None]
    if missing:
        raise Refusal(ZERO_VOLUME, f"The cell is incomplete; {missing[0]} is missing.")
    if not math.isfinite(sum(structure.cell.parameters)):
        wrong = next(tag for tag, size in zip(_CELL, structure.cell.parameters, strict=True) if not math.isfinite(size))
        raise Refusal(UNREADABLE, f"{wrong} is no number: {block.find_value(wrong)}.")
    numbers, occupancies, coords = _columns(structure.sites)
    # One sum over all coordinates is not finite if one of them is not.
    full = min(occupancies) >= 1.0 - _FULL and max(occupancies) <= 1.0 + _FULL
    if not (full and min(numbers) > 0 and math.isfinite(sum(map(sum, coords)))):
        _refuse_sites(structure)
    number = _space_group(structure, block)
    if number != 1:
        numbers, _, coords = _columns(structure.get_all_unit_cell_sites())
        check_count(len(numbers), most_sites)
    return UnitCell(structure.cell.parameters, numbers, coords, number, block.name)


def _columns(sites: gemmi.SmallStructure.SiteList) -> tuple[list[int], Sequence[float], list[list[float]]]:
    """Atomic numbers, occupancies and coordinates, in one pass: making Python objects of sites is what takes time."""
    rows = [(site.element.atomic_number, site.occ, site.fract.tolist()) for site in sites]
    numbers, occupancies, coords = zip(*rows, strict=True)
    return list(numbers), occupancies, list(coords)


def _refuse_sites(structure: gemmi.SmallStructure) -> None:
    """Say which site cannot be used, and why."""
    for site in structure.sites:
        if abs(site.occ - 1.0) > _FULL:
            raise Refusal(DISORDERED, f"Site {site.label} has an occupancy of {site.occ:g}.")
        if site.element.atomic_number == 0:
            raise Refusal(UNKNOWN_ELEMENT, f"Site {site.label} holds {site.type_symbol or site.label!r}.")
        if not math.isfinite(sum(site.fract.tolist())):
            raise Refusal(MISSING_COORDINATES, f"A coordinate of site {site.label} is missing.")


def _space_group(structure: gemmi.SmallStructure, block: gemmi.cif.Block) -> int:
    """The number of the space group that a block declares, 0 where it declares none or its table has none."""
    if structure.spacegroup is not None:
        return structure.spacegroup.number
    # Operations that fit no group of gemmi's table, as those of a supercell do, are applied all the same.
    if structure.symops:
        complaint = structure.check_spacegroup()
        if "error" in complaint:
            raise _NotForGemmi(complaint)
    elif any(block.find_values(tag) for tag in _MAGNETIC):
        raise _NotForGemmi("magnetic space group")
    # A number alone leaves the setting open. pymatgen then takes the usual one.
    elif structure.spacegroup_number or structure.spacegroup_hall or structure.spacegroup_hm not in ("", "?"):
        raise _NotForGemmi(structure.check_spacegroup() or "space group without setting")
    return 0


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
