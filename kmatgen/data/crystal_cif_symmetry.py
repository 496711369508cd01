"""All atoms of a cell from the sites that a CIF lists and the symmetry that it declares."""

from __future__ import annotations

import re
from collections.abc import Sequence

import gemmi
import numpy as np

from kmatgen.data.cleaning import UNREADABLE, Refusal

_MAGNETIC = tuple(f"_space_group_symop_magn_operation{mark}xyz" for mark in "._")
# Atoms of one element this near, in Angstrom, are one atom that is listed twice: beside an image of itself.
_SAME_ATOM = 0.05
# Of the largest entry of the metric tensor that a symmetry may change: cells are refined with errors, and rounded.
_STRAIN = 0.05


class NotForGemmi(Exception):
    """gemmi reads the block, but not its symmetry."""


def declared_group(structure: gemmi.SmallStructure, block: gemmi.cif.Block) -> int:
    """The number of the space group that a block declares, 0 where it declares none or gemmi's table has none.

    A symbol that gemmi does not know as it is written, such as P2(1)/c, is set in the structure.

    Raises:
        NotForGemmi: The symmetry is declared in another way.
        Refusal: The cell cannot have this symmetry.
    """
    if structure.spacegroup is None and not structure.symops:
        _set_spelt_otherwise(structure)
    group = structure.spacegroup
    if group is not None:
        if group.number > 1 and structure.cell.volume > 0.0 and not _fits(structure.cell, group):
            raise Refusal(UNREADABLE, f"The cell does not have the symmetry of its space group, {group.xhm()}.")
        return group.number
    # Operations that fit no group of gemmi's table, as those of a supercell do, are applied all the same.
    if structure.symops:
        complaint = structure.check_spacegroup()
        if "error" in complaint:
            raise NotForGemmi(complaint)
    elif any(block.find_values(tag) for tag in _MAGNETIC):
        raise NotForGemmi("magnetic space group")
    # A number alone leaves the setting open. pymatgen then takes the usual one.
    elif structure.spacegroup_number or structure.spacegroup_hall or structure.spacegroup_hm not in ("", "?"):
        raise NotForGemmi(structure.check_spacegroup() or "space group without setting")
    return 0


def distinct_sites(cell: gemmi.UnitCell, numbers: Sequence[int], coords: Sequence[Sequence[float]]) -> list[int]:
    """Which sites of a whole cell to keep: of an atom that is listed beside its own image, the first.

    Args:
        cell: The cell.
        numbers: Atomic numbers.
        coords: Fractional coordinates, finite.
    """
    from scipy.spatial import KDTree  # takes longer to import than a process takes to start

    if not cell.volume > 0.0:
        return list(range(len(numbers)))
    matrix = np.array(cell.orth.mat.tolist())
    radius = _SAME_ATOM * np.linalg.norm(np.linalg.inv(matrix), 2)
    positions = np.asarray(coords) % 1.0 % 1.0  # a small negative number leaves 1
    copies: set[int] = set()
    for first, second in sorted(KDTree(positions, boxsize=1.0).query_pairs(radius)):
        away = positions[first] - positions[second]
        near = np.linalg.norm(matrix @ (away - np.round(away))) < _SAME_ATOM
        if near and numbers[first] == numbers[second] and first not in copies:
            copies.add(second)
    return [row for row in range(len(numbers)) if row not in copies]


def _set_spelt_otherwise(structure: gemmi.SmallStructure) -> None:
    """Screw axes are also written P2_1/c or P2(1)/c."""
    cell, symbol = structure.cell, re.sub(r"[_()]", "", structure.spacegroup_hm)
    if symbol != structure.spacegroup_hm:
        structure.spacegroup = gemmi.find_spacegroup_by_name(symbol, cell.alpha, cell.gamma, "2")
        structure.setup_cell_images()


def _fits(cell: gemmi.UnitCell, group: gemmi.SpaceGroup) -> bool:
    return cell.is_compatible_with_spacegroup(group, _STRAIN * max(cell.parameters[:3]) ** 2)
