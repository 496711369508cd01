"""The table of crystals: what files are read into, what representations encode, and what generators give back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from kmatgen.errors import InputError
from kmatgen.representations.elements import HEAVIEST

if TYPE_CHECKING:
    from pymatgen.core import Structure

# Avogadro's number times a cubic Angstrom in cubic centimetres: u / A^3 to g / cm^3.
_G_PER_CM3 = 1.66053906660


@dataclass(frozen=True, eq=False)
class CrystalTable:
    """Crystals as arrays, a row for each.

    Attributes:
        lattice: `(n, 6)` float64: a, b, c in Angstrom and alpha, beta, gamma in degrees.
        species: `(n, sites)` atomic numbers; 0 where there is no site. Sites come first, gaps last.
        coords: `(n, sites, 3)` float64, fractional; 0 where there is no site.
        space_group: `(n,)` international number, 0 where it is not known.
        properties: Columns of numbers `(n,)` by name, NaN where one is missing.
        origin: `(n,)` text: the file or the row that a crystal came from.
    """

    lattice: np.ndarray
    species: np.ndarray
    coords: np.ndarray
    space_group: np.ndarray
    properties: dict[str, np.ndarray] = field(default_factory=dict)
    origin: np.ndarray = field(default_factory=lambda: np.zeros(0, str))

    def __post_init__(self) -> None:
        n, sites = np.shape(self.species)
        shapes = {"lattice": (n, 6), "species": (n, sites), "coords": (n, sites, 3), "space_group": (n,)}
        types = {"lattice": np.float64, "species": np.int16, "coords": np.float64, "space_group": np.int16}
        for name, shape in shapes.items():
            values = np.asarray(getattr(self, name), types[name])
            if values.shape != shape:
                raise InputError(f"A table of {n} crystals has {name} of shape {shape}. Received: {values.shape}.")
            object.__setattr__(self, name, values)
        origin = np.asarray(self.origin) if len(self.origin) else np.array([f"row {row}" for row in range(n)])
        object.__setattr__(self, "origin", origin)
        lengths = {"origin": len(origin), **{name: len(column) for name, column in self.properties.items()}}
        wrong = {name: length for name, length in lengths.items() if length != n}
        if wrong:
            raise InputError(f"A table of {n} crystals has columns of that length. Received: {wrong}.")

    def __len__(self) -> int:
        return len(self.species)

    def __getitem__(self, rows: int | slice | np.ndarray | Sequence[int]) -> CrystalTable:
        """A table of some of the crystals: one row, a slice, row numbers or a boolean mask."""
        if not isinstance(rows, slice):
            rows = np.atleast_1d(rows)
            # numpy takes an empty list for one of floating-point numbers, which are no rows.
            rows = rows if rows.size else np.zeros(0, int)
        columns = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != "properties"}
        return CrystalTable(**columns, properties={name: column[rows] for name, column in self.properties.items()})

    @property
    def mask(self) -> np.ndarray:
        """`(n, sites)`: whether there is a site."""
        return self.species > 0

    @property
    def n_sites(self) -> np.ndarray:
        """`(n,)` number of sites in each cell."""
        return self.mask.sum(axis=1)

    @property
    def matrix(self) -> np.ndarray:
        """`(n, 3, 3)` lattice vectors in rows, Angstrom; see `lattice_matrix`."""
        return lattice_matrix(self.lattice)

    @property
    def volume(self) -> np.ndarray:
        """`(n,)` volume of the cell in cubic Angstrom; NaN where the angles fit no cell."""
        return lattice_volume(self.lattice)

    @property
    def density(self) -> np.ndarray:
        """`(n,)` mass density in g / cm^3."""
        return atomic_masses()[self.species].sum(axis=1) / self.volume * _G_PER_CM3

    def with_sites(self, sites: int) -> CrystalTable:
        """The same table with room for this many sites.

        Raises:
            InputError: A crystal has more.
        """
        most = int(self.n_sites.max(initial=0))
        if most > sites:
            raise InputError(f"The largest crystal has {most} sites. Received: sites={sites}.")
        more = max(0, sites - self.species.shape[1])
        return replace(
            self,
            species=np.pad(self.species, ((0, 0), (0, more)))[:, :sites],
            coords=np.pad(self.coords, ((0, 0), (0, more), (0, 0)))[:, :sites],
        )

    def formulas(self) -> list[str]:
        """The reduced formula of each crystal, such as `"BaTiO3"`."""
        from pymatgen.core import Composition, Element

        found = []
        for species in self.species:
            numbers, counts = np.unique(species[species > 0], return_counts=True)
            composition = {Element.from_Z(int(z)).symbol: int(n) for z, n in zip(numbers, counts, strict=True)}
            found.append(Composition(composition).reduced_formula)
        return found

    def spread(self, count: int) -> CrystalTable:
        """So many of the crystals, evenly over the table; all of them where there are no more."""
        return self[np.unique(np.linspace(0, len(self) - 1, min(len(self), count)).astype(int))]

    def structures(self) -> list[Structure]:
        """The crystals as pymatgen structures, with their properties and their origin in `properties`."""
        from pymatgen.core import Lattice, Structure

        found = []
        for row, (matrix, species, coords, mask) in enumerate(
            zip(self.matrix, self.species, self.coords, self.mask, strict=True)
        ):
            notes = {name: float(column[row]) for name, column in self.properties.items()}
            notes["origin"] = str(self.origin[row])
            # Plain integers: pymatgen takes numpy's for names of elements.
            numbers = [int(number) for number in species[mask]]
            found.append(Structure(Lattice(matrix), numbers, coords[mask], properties=notes))
        return found

    @classmethod
    def from_structures(
        cls, structures: Iterable[Structure], origin: Sequence[str] = (), properties: dict | None = None
    ) -> CrystalTable:
        """A table of ordered pymatgen structures.

        Raises:
            InputError: There is none, or a site is shared by several species.
        """
        structures = list(structures)
        if not structures:
            raise InputError("A table needs at least one crystal. Received: no structures.")
        disordered = [structure.formula for structure in structures if not structure.is_ordered]
        if disordered:
            raise InputError(f"Every site of a crystal holds one species. Received: {disordered[0]}, disordered.")
        n, sites = len(structures), max(len(structure) for structure in structures)
        species, coords = np.zeros((n, sites), np.int16), np.zeros((n, sites, 3))
        for row, structure in enumerate(structures):
            species[row, : len(structure)] = structure.atomic_numbers
            coords[row, : len(structure)] = right_handed_coords(structure)
        lattice = np.array([structure.lattice.parameters for structure in structures])
        columns = {name: np.asarray(column, np.float64) for name, column in (properties or {}).items()}
        return cls(lattice, species, coords, np.zeros(n, np.int16), columns, np.asarray(origin, str))

    @classmethod
    def from_fields(cls, fields: Mapping[str, np.ndarray]) -> CrystalTable:
        """Crystals as a model made them: `lattice`, `species` and `coords`; those that make no cell stay among them.

        Where a number is no element, there is no cell either: its lattice is NaN.
        """
        lattice, species, coords = (np.asarray(fields[name]) for name in ("lattice", "species", "coords"))
        strange = (species < 0) | (species > HEAVIEST)
        lattice = np.where(strange.any(axis=1, keepdims=True), np.nan, lattice)
        return cls(lattice, np.where(strange, 0, species), coords, np.zeros(len(lattice), np.int16))

    @classmethod
    def concatenate(cls, tables: Sequence[CrystalTable]) -> CrystalTable:
        """One table of several; of the properties, those that all have.

        Raises:
            InputError: There is no table.
        """
        if not tables:
            raise InputError("Joining needs at least one table. Received: none.")
        sites = max(table.species.shape[1] for table in tables)
        tables = [table.with_sites(sites) for table in tables]
        shared = set.intersection(*(set(table.properties) for table in tables))
        columns = {
            f.name: np.concatenate([getattr(table, f.name) for table in tables])
            for f in fields(cls)
            if f.name != "properties"
        }
        properties = {
            name: np.concatenate([table.properties[name] for table in tables])
            for name in tables[0].properties
            if name in shared
        }
        return cls(**columns, properties=properties)


def element_counts(table: CrystalTable) -> np.ndarray:
    """How many atoms of each element a cell holds: `(n, 119)` whole numbers, the column is the atomic number."""
    n = len(table)
    flat = (np.arange(n)[:, None] * (HEAVIEST + 1) + table.species).ravel()
    counts = np.bincount(flat, minlength=n * (HEAVIEST + 1)).reshape(n, HEAVIEST + 1)
    counts[:, 0] = 0
    return counts


def reduced_counts(table: CrystalTable) -> np.ndarray:
    """How many atoms of each element a formula unit holds, `(n, 119)` as `element_counts`."""
    counts = element_counts(table)
    return counts // np.maximum(np.gcd.reduce(counts, axis=1), 1)[:, None]


def right_handed_coords(structure: Structure) -> np.ndarray:
    """Fractional coordinates of a structure in a cell of the same lengths and angles whose vectors are right-handed.

    Lengths and angles do not tell the two hands apart. Reversing all vectors and coordinates leaves each atom where it
    is and makes a left-handed cell right-handed.
    """
    return -structure.frac_coords if np.linalg.det(structure.lattice.matrix) < 0 else structure.frac_coords


def lattice_matrix(lattice: np.ndarray) -> np.ndarray:
    """Lattice vectors in rows from lengths and angles: c along z and a in the x-z plane, as in pymatgen.

    Args:
        lattice: `(..., 6)` a, b, c in Angstrom and alpha, beta, gamma in degrees.

    Returns:
        `(..., 3, 3)`, NaN where the angles fit no cell.
    """
    a, b, c, *angles = np.moveaxis(np.asarray(lattice, np.float64), -1, 0)
    zero = np.zeros_like(a)
    with np.errstate(all="ignore"):  # whatever a generator may have made
        cosines, sines = np.cos(np.radians(angles)), np.sin(np.radians(angles))
        turn = (cosines[0] * cosines[1] - cosines[2]) / (sines[0] * sines[1])
        rise = np.sqrt(1 - turn**2)
        vectors = [
            np.stack([a * sines[1], zero, a * cosines[1]], axis=-1),
            np.stack([-b * sines[0] * turn, b * sines[0] * rise, b * cosines[0]], axis=-1),
            np.stack([zero, zero, c], axis=-1),
        ]
    return np.stack(vectors, axis=-2)


def lattice_parameters(matrix: np.ndarray) -> np.ndarray:
    """Lengths and angles `(..., 6)` of lattice vectors in rows `(..., 3, 3)`; the inverse of `lattice_matrix`."""
    lengths = np.linalg.norm(matrix, axis=-1)
    following, last = np.roll(matrix, -1, axis=-2), np.roll(matrix, -2, axis=-2)
    cosines = (following * last).sum(-1) / (np.roll(lengths, -1, axis=-1) * np.roll(lengths, -2, axis=-1))
    return np.concatenate([lengths, np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0)))], axis=-1)


def lattice_volume(lattice: np.ndarray) -> np.ndarray:
    """Volume of the cell in cubic Angstrom from lengths and angles `(..., 6)`; NaN where the angles fit no cell."""
    lattice = np.asarray(lattice, np.float64)
    with np.errstate(all="ignore"):  # whatever a generator may have made
        cosines = np.cos(np.radians(lattice[..., 3:]))
        root = np.sqrt(1 + 2 * cosines.prod(axis=-1) - (cosines**2).sum(axis=-1))
        return lattice[..., :3].prod(axis=-1) * root


def atomic_masses() -> np.ndarray:
    """Atomic masses in u by atomic number, 0 for the number 0."""
    from pymatgen.core import Element

    return np.array([0.0, *(float(Element.from_Z(number).atomic_mass) for number in range(1, HEAVIEST + 1))])
