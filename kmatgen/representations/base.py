"""What all representations share: learn ranges from crystals, encode them, decode arrays, say what was refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kmatgen.errors import InputError
from kmatgen.representations.crystal_table import CrystalTable, lattice_volume
from kmatgen.representations.elements import HEAVIEST

# A field of float32 values for every name, or one array.
Arrays = np.ndarray | dict[str, np.ndarray]
# Shapes without the batch axis, in the same structure.
Shapes = tuple[int, ...] | dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Decoded:
    """Crystals that arrays stand for.

    Attributes:
        table: Those that make a crystal; their `origin` is the row they were decoded from.
        refused: `(n,)` text for every row of the arrays: why it makes none, empty where it does.
    """

    table: CrystalTable
    refused: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """The rows of the arrays that `table` holds, in its order."""
        return np.flatnonzero(self.refused == "")


class Representation:
    """Crystals as float32 arrays that a network can learn, and back.

    A subclass defines `learn`, `shapes`, `to_arrays` and `decode_tensors` (or `from_arrays`, if it cannot be exported),
    lists arguments of its own in `get_config`, which is plain JSON, and says in `keeps` what is the same after encoding
    and decoding.

    Args:
        sites: Room for this many sites. `None`: as many as the largest crystal given to `fit` has.
        ranges: What `fit` learned, from `get_config` of a fitted representation; plain JSON.
    """

    keeps = "everything"

    def __init__(self, sites: int | None = None, ranges: dict[str, Any] | None = None) -> None:
        if sites is not None and sites < 1:
            raise InputError(f"A representation has room for at least 1 site. Received: sites={sites}.")
        self.sites = sites
        self.ranges = ranges

    # What a subclass defines

    @property
    def shapes(self) -> Shapes:
        """Shape of the arrays of one crystal."""
        raise NotImplementedError(f"{type(self).__name__} defines shapes.")

    def learn(self, table: CrystalTable) -> dict[str, Any]:
        """What is to be known of the training data, as plain JSON; nothing by default."""
        return {}

    def to_arrays(self, table: CrystalTable) -> Arrays:
        """Encode a table that has room for exactly `sites` sites."""
        raise NotImplementedError(f"{type(self).__name__} defines to_arrays.")

    def decode_tensors(self, arrays: tf.Tensor | dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Decode in TensorFlow, float32, whatever is in the arrays: what an exported model does.

        Returns:
            `lattice` `(n, 6)` in Angstrom and degrees, `species` `(n, sites)` int32, `coords` `(n, sites, 3)` in
            [0, 1), `mask` `(n, sites)`, and for some `space_group` `(n,)` int32; 0 where there is no site.
        """
        raise InputError(
            f"A model with this representation cannot answer in physical units. Received: {type(self).__name__}."
        )

    def from_arrays(self, arrays: Arrays) -> dict[str, np.ndarray]:
        """Columns `lattice`, `species`, `coords` and perhaps `space_group` of arrays, whatever is in them."""
        tensors = _map(tf.convert_to_tensor, arrays)
        return {name: values.numpy() for name, values in self.decode_tensors(tensors).items()}

    # What all have

    @property
    def fitted(self) -> bool:
        """Whether `fit` has learned from crystals, here or before a configuration was saved."""
        return self.ranges is not None

    def fit(self, table: CrystalTable) -> Representation:
        """Learn ranges from training crystals; returns itself.

        Raises:
            InputError: There is no crystal, or the largest one does not fit.
        """
        if len(table) == 0:
            raise InputError("A representation is fitted to at least one crystal. Received: an empty table.")
        most = int(table.n_sites.max())
        if self.sites is None:
            self.sites = most
        table = table.with_sites(self.sites)
        counts = np.bincount(table.n_sites, minlength=self.sites + 1)
        self.ranges = {"site_counts": counts.tolist(), **self.learn(table)}
        return self

    def encode(self, table: CrystalTable) -> Arrays:
        """Crystals to float32 arrays.

        Raises:
            InputError: The representation is not fitted, or a crystal does not fit into it.
        """
        self.check_fitted()
        arrays = self.to_arrays(table.with_sites(self.sites))
        return _map(lambda values: np.asarray(values, np.float32), arrays)

    def decode(self, arrays: Arrays) -> Decoded:
        """Arrays, whatever is in them, to the crystals they stand for and why a row stands for none.

        Raises:
            InputError: The arrays are not of the shape of this representation.
        """
        self.check_fitted()
        arrays = self.check_shapes(arrays)
        values = list(arrays.values()) if isinstance(arrays, dict) else [arrays]
        finite = np.all([np.isfinite(v).all(axis=tuple(range(1, v.ndim))) for v in values], axis=0)
        if not finite.all():
            arrays = _map(lambda v: np.where(finite.reshape(-1, *[1] * (v.ndim - 1)), v, np.float32(0)), arrays)
        with np.errstate(over="ignore", invalid="ignore"):
            columns = self.from_arrays(arrays)
        return keep_crystals(columns, finite)

    @property
    def decoder_layer(self) -> keras.layers.Layer:
        """A new layer that does `decode_tensors`, with all constants in its configuration."""
        from kmatgen.representations.decoder import Decoder

        return Decoder(self)

    def decoder_network(self) -> keras.Model:
        """The decoder as a functional model of its own."""
        self.check_fitted()
        shapes = self.shapes
        if isinstance(shapes, dict):
            inputs = {name: keras.Input(shape, name=name) for name, shape in shapes.items()}
        else:
            inputs = keras.Input(shapes, name="arrays")
        return keras.Model(inputs, self.decoder_layer(inputs), name="decoder")

    def mask(self, n_sites: np.ndarray) -> np.ndarray:
        """`(n, sites)` float32: 1 for each site of crystals with so many sites, 0 after."""
        self.check_fitted()
        return (np.arange(self.sites) < np.asarray(n_sites)[:, None]).astype(np.float32)

    @property
    def site_counts(self) -> np.ndarray:
        """`(sites + 1,)` how many training crystals have 0, 1, 2 ... sites."""
        self.check_fitted()
        return np.asarray(self.ranges["site_counts"])

    def check_fitted(self) -> None:
        """Refuse to work before `fit`.

        Raises:
            InputError: Nothing was learned yet.
        """
        if not self.fitted:
            raise InputError(
                f"{type(self).__name__} learns its ranges from training crystals: call fit(table) first. "
                "Received: a representation that is not fitted."
            )

    def check_shapes(self, arrays: Arrays) -> Arrays:
        """The arrays as numpy float32, if they are what this representation decodes."""
        arrays = _map(lambda values: np.asarray(values, np.float32), arrays)
        received = _map(np.shape, arrays)
        if isinstance(self.shapes, dict):
            fields = isinstance(arrays, dict) and set(self.shapes) <= set(arrays)
            right = fields and all(arrays[name].shape[1:] == shape for name, shape in self.shapes.items())
            right = right and len({len(arrays[name]) for name in self.shapes}) == 1
        else:
            right = not isinstance(arrays, dict) and arrays.shape[1:] == self.shapes
        if not right:
            raise InputError(
                f"{type(self).__name__} decodes a batch of arrays of shape {self.shapes}. Received: {received}."
            )
        return {name: arrays[name] for name in self.shapes} if isinstance(arrays, dict) else arrays

    def get_config(self) -> dict[str, Any]:
        """Every argument of `__init__`, what was learned included, as plain JSON."""
        return {"sites": self.sites, "ranges": self.ranges}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Representation:
        return cls(**config)


def check_elements(table: CrystalTable, known: Sequence[int] | np.ndarray) -> None:
    """Refuse crystals with elements that the representation does not know.

    Raises:
        InputError: There is one; it is named.
    """
    strange = table.mask & ~np.isin(table.species, known)
    if strange.any():
        row = int(np.flatnonzero(strange.any(axis=1))[0])
        raise InputError(
            "An element has to occur in the crystals that a representation is fitted to. "
            f"Received: atomic number {table.species[row][strange[row]][0]} in {table.origin[row]}."
        )


def _map(function: Any, arrays: Any) -> Any:
    if isinstance(arrays, Mapping):
        return {name: function(values) for name, values in arrays.items()}
    return function(arrays)


def are_crystals(samples: Any) -> bool:
    """Whether samples of a model are crystals in physical units: a dict with lattice, species and coordinates."""
    return isinstance(samples, dict) and {"lattice", "species", "coords"} <= set(samples)


def keep_crystals(columns: dict[str, np.ndarray], finite: np.ndarray | bool = True) -> Decoded:
    """Refuse what makes no crystal; put the sites of the others first.

    Args:
        columns: `lattice` `(n, 6)` in Angstrom and degrees, `species` `(n, sites)`, `coords` `(n, sites, 3)`, and where
            there is one `space_group` `(n,)`, such as a model of crystals generates.
        finite: `(n,)`: rows that are not are refused, whatever the columns hold.
    """
    lattice, species, coords = (np.asarray(columns[name]) for name in ("lattice", "species", "coords"))
    n = len(lattice)
    space_group = np.asarray(columns.get("space_group", np.zeros(n, np.int16)))
    finite = finite & np.isfinite(lattice).all(axis=1) & np.isfinite(coords).all(axis=(1, 2))
    with np.errstate(invalid="ignore"):
        reasons = {
            "numbers that are not finite": ~finite,
            "an atomic number that is no element": ((species < 0) | (species > HEAVIEST)).any(axis=1),
            "no sites": (species > 0).sum(axis=1) == 0,
            "a length that is not positive": (lattice[:, :3] <= 0).any(axis=1),
            "angles that fit no cell": ~(lattice_volume(lattice) > 0) | ~((lattice[:, 3:] > 0).all(axis=1)),
        }
    refused = np.full(n, "", dtype="<U40")
    for reason, rows in reversed(reasons.items()):
        refused[rows] = reason
    good = np.flatnonzero(refused == "")
    gaps_last = np.argsort(species[good] == 0, axis=1, kind="stable")
    here = species[good] > 0
    coords = np.where(here[..., None], coords[good], 0.0)
    table = CrystalTable(
        lattice[good],
        np.take_along_axis(species[good], gaps_last, axis=1),
        np.take_along_axis(coords, gaps_last[..., None], axis=1),
        space_group[good],
        origin=np.array([f"row {row}" for row in good], dtype=str),
    )
    return Decoded(table, refused)
