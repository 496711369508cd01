"""Elements as physical numbers, so that a network sees which are alike."""

from __future__ import annotations

from functools import cache

import numpy as np

FEATURES = ("period", "group", "electronegativity", "radius", "s", "p", "d", "mendeleev")
HEAVIEST = 118
# Elements that take the anion's part beside metals: hydrogen, carbon, and groups 15 to 17 without metalloids.
_ANIONS = np.isin(np.arange(HEAVIEST + 1), [1, 6, 7, 8, 9, 15, 16, 17, 34, 35, 53])


@cache
def element_features() -> np.ndarray:
    """`(119, 8)` of `FEATURES` by atomic number, 1 to 118; row 0 is NaN.

    Pauling electronegativity; atomic radius in Angstrom, the calculated one where there is no empirical one. What is
    not known (of noble gases, of the heaviest elements) is interpolated over the atomic number. `s`, `p`, `d` are 1
    for elements of that block, all 0 for the f block.

    Source of the numbers: pymatgen's table of elements.
    """
    from pymatgen.core import Element

    table = np.full((HEAVIEST + 1, len(FEATURES)), np.nan)
    for number in range(1, HEAVIEST + 1):
        element = Element.from_Z(number)
        data = element.data
        radius = data.get("Atomic radius") or data.get("Atomic radius calculated")
        block = [float(element.block == name) for name in ("s", "p", "d")]
        values = [element.row, element.group, data.get("X"), radius, *block, data.get("Mendeleev no")]
        table[number] = [np.nan if value is None else float(value) for value in values]
    numbers = np.arange(1, HEAVIEST + 1)
    for column in table[1:].T:
        known = np.isfinite(column)
        column[:] = np.interp(numbers, numbers[known], column[known])
    table.flags.writeable = False
    return table


def electronegativity() -> np.ndarray:
    """`(119,)` Pauling electronegativity by atomic number, as in `element_features`; NaN for 0."""
    return element_features()[:, FEATURES.index("electronegativity")]


def is_anion(species: np.ndarray | int) -> np.ndarray | bool:
    """Whether atomic numbers belong to elements that take the anion's part in a compound with others."""
    return _ANIONS[species]
