"""What crystals are generated for: space group, composition, chemical system, or a property by its column's name."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kmatgen.errors import InputError
from kmatgen.representations.crystal_table import CrystalTable, element_counts

SPACE_GROUPS = 230
_BY_ELEMENT = ("composition", "chemical_system")


class CrystalConditions:
    """Conditions by name, as arrays for a network and as a user asks for them.

    * `space_group`: the international number, a class.
    * `composition`: the share of each element, `(E,)`; asked for as a formula, `"BaTiO3"`.
    * `chemical_system`: 1 for each element that is there, `(E,)`; asked for as `"Ba-Ti-O"`.
    * any property column: `(1,)` in its own units.

    Args:
        names: Conditions to learn.
        learned: What `fit` learned, from `get_config`; plain JSON.
    """

    def __init__(self, names: Sequence[str], learned: dict[str, Any] | None = None) -> None:
        self.names = list(names)
        self.learned = learned

    def get_config(self) -> dict[str, Any]:
        """Arguments to make it again."""
        return {"names": self.names, "learned": self.learned}

    def fit(self, table: CrystalTable) -> CrystalConditions:
        """Learn elements, ranges and usual site counts from training crystals.

        Raises:
            InputError: A name is neither of the known conditions nor a property column.
        """
        for name in self.names:
            if name not in (*_BY_ELEMENT, "space_group", *table.properties):
                columns = ", ".join(table.properties) or "none"
                raise InputError(
                    "Crystals are generated for space_group, composition, chemical_system or a property column "
                    f"(here: {columns}). Received: {name!r}."
                )
        ranges = {name: table.properties[name] for name in self.names if name in table.properties}
        counts, frequency = np.unique(table.n_sites, return_counts=True)
        self.learned = {
            "elements": np.unique(table.species[table.mask]).tolist(),
            "properties": {name: _range(values) for name, values in ranges.items()},
            "site_counts": {str(count): int(n) for count, n in zip(counts, frequency, strict=True)},
        }
        return self

    def known_rows(self, table: CrystalTable) -> np.ndarray:
        """`(n,)`: whether a crystal has all the properties that are asked for."""
        known = np.ones(len(table), bool)
        for name in self.learned["properties"]:
            known &= np.isfinite(table.properties[name])
        return known

    @property
    def specs(self) -> dict[str, dict[str, Any]]:
        """What networks are built for, see `kmatgen.networks.conditions`."""
        elements = len(self.learned["elements"])
        specs: dict[str, dict[str, Any]] = {}
        for name in self.names:
            if name == "space_group":
                specs[name] = {"classes": SPACE_GROUPS + 1}
            elif name in _BY_ELEMENT:
                specs[name] = {"size": elements}
            else:
                found = self.learned["properties"][name]
                specs[name] = {"size": 1, "mean": found["mean"], "scale": found["scale"]}
        return specs

    def arrays(self, table: CrystalTable) -> dict[str, np.ndarray]:
        """The conditions of real crystals."""
        shares = element_counts(table)[:, self.learned["elements"]] / table.n_sites[:, None]
        found: dict[str, np.ndarray] = {}
        for name in self.names:
            if name == "space_group":
                found[name] = table.space_group.astype(np.int32)
            elif name == "composition":
                found[name] = shares.astype(np.float32)
            elif name == "chemical_system":
                found[name] = (shares > 0).astype(np.float32)
            else:
                found[name] = table.properties[name].astype(np.float32)[:, None]
        return found

    def asked(self, request: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """A user's request as arrays of one row each.

        Args:
            request: By name: a space-group number or symbol, a formula, a chemical system, a value of a property.

        Raises:
            InputError: A condition that the model does not know, or a value that is none.
        """
        unknown = sorted(set(request) - set(self.names))
        if unknown:
            known = ", ".join(self.names) or "none"
            raise InputError(f"This model is asked for {known}. Received: {unknown[0]}={request[unknown[0]]!r}.")
        found: dict[str, np.ndarray] = {}
        for name, value in request.items():
            if name == "space_group":
                found[name] = np.int32(_space_group(value))
            elif name in _BY_ELEMENT:
                found[name] = self._shares(name, str(value))
            else:
                found[name] = self._value(name, value)
        return found

    def site_count(self, formula: str) -> int | None:
        """The most frequent number of sites that hold whole formula units, or None where no training crystal does."""
        from pymatgen.core import Composition

        atoms = Composition(formula).reduced_composition.num_atoms
        fitting = {int(count): n for count, n in self.learned["site_counts"].items() if int(count) % atoms == 0}
        return max(fitting, key=fitting.__getitem__) if fitting else None

    def _shares(self, name: str, text: str) -> np.ndarray:
        from pymatgen.core import Composition

        try:
            composition = Composition(text.replace("-", " "), strict=True)
            numbers = {element.Z: share for element, share in composition.fractional_composition.items()}
        except (ValueError, KeyError, AttributeError) as error:
            raise InputError(f"{name} is written like BaTiO3 or Ba-Ti-O. Received: {text!r}.") from error
        strange = sorted(set(numbers) - set(self.learned["elements"]))
        if strange or not numbers:
            raise InputError(
                f"{name} is made of elements that the training crystals have. Received: {text!r}, where "
                f"{'no element is named' if not numbers else f'atomic number {strange[0]} is new'}."
            )
        shares = np.array([numbers.get(element, 0.0) for element in self.learned["elements"]], np.float32)
        return shares if name == "composition" else (shares > 0).astype(np.float32)

    def _value(self, name: str, value: Any) -> np.ndarray:
        found = self.learned["properties"][name]
        try:
            number = float(value)
        except (TypeError, ValueError) as error:
            raise InputError(f"{name} is a number. Received: {value!r}.") from error
        if not found["least"] <= number <= found["most"]:
            warnings.warn(
                f"{name} of the training crystals goes from {found['least']:.4g} to {found['most']:.4g}; outside of "
                f"that a model guesses. Received: {number:.4g}.",
                stacklevel=3,
            )
        return np.array([number], np.float32)


def _range(values: np.ndarray) -> dict[str, float]:
    known = values[np.isfinite(values)]
    if not len(known):
        raise InputError("A property to generate for has values. Received: a column without a number.")
    scale = float(known.std()) or 1.0
    return {"mean": float(known.mean()), "scale": scale, "least": float(known.min()), "most": float(known.max())}


def _space_group(value: Any) -> int:
    from pymatgen.symmetry.groups import SpaceGroup

    try:
        number = int(value) if str(value).isdigit() else SpaceGroup(str(value)).int_number
    except ValueError as error:
        raise InputError(f"A space group is a number or a symbol such as Pm-3m. Received: {value!r}.") from error
    if not 1 <= number <= SPACE_GROUPS:
        raise InputError(f"A space group has a number from 1 to {SPACE_GROUPS}. Received: {value!r}.")
    return number
