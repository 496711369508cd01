"""Crystals opened for training: fields on the scale of a model, their conditions, and the way back to crystals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from kmatgen import registry
from kmatgen.data.crystal_conditions import CrystalConditions
from kmatgen.data.crystal_splits import elements, split_table
from kmatgen.data.crystals import Crystals, read_crystals
from kmatgen.errors import InputError
from kmatgen.representations import CrysTens, PointCloud
from kmatgen.representations.active import active_decoder, active_fields, active_places, set_decoder
from kmatgen.representations.base import Arrays
from kmatgen.representations.crystal_table import CrystalTable

if TYPE_CHECKING:
    import keras

# With fewer sets of elements than this, a share of them is no share of the crystals.
_FEWEST_SYSTEMS = 10


@dataclass(frozen=True, eq=False)
class CrystalSource:
    """Crystals of one collection, split, and what a model has to know of them.

    Crystals that all have the same number of sites, in an order that gives each of them a role, are told by the numbers
    that vary among them (`kmatgen.representations.active`). Others are sets of sites in a lattice, with a mask that
    says which sites there are; the mask is a condition, which a model draws from those of the training crystals. As
    `CrysTens` all are tensors, without conditions.

    Attributes:
        crystals: All that was read, with the report of what was refused.
        train: The crystals to train on.
        test: Those held out. No key of elements and roles is in both.
        representation: Fitted to the training crystals.
        conditions: What crystals are generated for.
        properties: Columns that are to be predicted from latent points, see `kmatgen.VAE`.
    """

    crystals: Crystals
    train: CrystalTable
    test: CrystalTable
    representation: PointCloud | CrysTens
    conditions: CrystalConditions
    properties: CrystalConditions

    @property
    def are_sets(self) -> bool:
        """Whether sites are interchangeable, rather than each having a role."""
        return not self.are_tensors and self.representation.whiten != "site"

    @property
    def are_tensors(self) -> bool:
        """Whether a crystal is one tensor, in [0, 1], rather than a dict of fields."""
        return isinstance(self.representation, CrysTens)

    def fields(self, table: CrystalTable) -> Arrays:
        """The samples that a model is trained on."""
        arrays = self.representation.encode(table)
        if self.are_tensors:
            return arrays
        if not self.are_sets:
            return active_fields(self.representation, arrays)
        return {name: arrays[name] for name in active_places(self.representation)}

    def conditions_of(self, table: CrystalTable) -> dict[str, np.ndarray] | None:
        """The conditions of real crystals, None where there are none."""
        found = self.conditions.arrays(table)
        if self.are_sets:
            mask = table.with_sites(self.representation.sites).mask
            found = {"mask": mask.astype(np.float32), **found}
        return found or None

    def with_conditions(self, table: CrystalTable) -> Any:
        """Fields of real crystals, or where there are conditions the pair of both."""
        fields, conditions = self.fields(table), self.conditions_of(table)
        return fields if conditions is None else (fields, conditions)

    def told(self, table: CrystalTable) -> dict[str, np.ndarray] | None:
        """What is known of real crystals beside their fields: conditions, and properties to predict, NaN where unknown.

        None where that is nothing.
        """
        return {**(self.conditions_of(table) or {}), **self.properties.arrays(table)} or None

    @property
    def condition_specs(self) -> dict[str, dict[str, Any]] | None:
        """What denoisers are built for, None where there are no conditions."""
        mask = {"mask": {"size": self.representation.sites}} if self.are_sets else {}
        return {**mask, **self.conditions.specs} or None

    @property
    def decoder(self) -> keras.Model:
        """From fields on the scale of training to lattice, species, coordinates and mask in physical units."""
        if self.are_tensors:
            return self.representation.decoder_network()
        return set_decoder(self.representation) if self.are_sets else active_decoder(self.representation)

    @property
    def alike(self) -> Callable[..., tf.Tensor] | None:
        """Sets of sites are put together by their number of sites, so that small ones cost little."""
        return _number_of_sites if self.are_sets else None

    def asked(self, request: dict[str, Any]) -> dict[str, np.ndarray] | None:
        """The condition that `generate` is given for a user's request, see `CrystalConditions.asked`.

        A formula also chooses the number of sites, where crystals have several.
        """
        request = {name: value for name, value in request.items() if name not in self.properties.names}
        found = self.conditions.asked(request)
        count = self.conditions.site_count(str(request["composition"])) if "composition" in request else None
        if self.are_sets and count is not None:
            found["mask"] = (np.arange(self.representation.sites) < count).astype(np.float32)
        return found or None

    def asked_properties(self, request: dict[str, Any]) -> dict[str, float]:
        """Those values of a user's request that a property head chooses latent points for."""
        of_head = {name: value for name, value in request.items() if name in self.properties.names}
        return {name: float(value[0]) for name, value in self.properties.asked(of_head).items()}

    def describe(self) -> dict[str, Any]:
        """What the data are, for the run and for the manifest of an export."""
        return {
            **self.crystals.describe(),
            "train_crystals": len(self.train),
            "test_crystals": len(self.test),
            "representation": {
                "class_name": type(self.representation).__name__,
                "config": self.representation.get_config(),
            },
            "conditions": self.conditions.get_config(),
            "properties": self.properties.get_config(),
            "content_hash": self.crystals.content_hash,
        }


def _number_of_sites(sample: dict[str, tf.Tensor], condition: dict[str, tf.Tensor]) -> tf.Tensor:
    return tf.reduce_sum(condition["mask"], axis=1)


def open_crystals(
    source: str | Path,
    *,
    column: str | None = None,
    cell: str | None = None,
    max_sites: int = 64,
    conditions: Sequence[str] = (),
    properties: Sequence[str] = (),
    representation: dict[str, Any] | None = None,
    test_fraction: float = 0.1,
    seed: int = 0,
    strict: bool = False,
    jobs: int = 1,
    progress: bool = False,
) -> CrystalSource:
    """Read, split and encode crystals.

    Args:
        source: As for `read_crystals`.
        column: The csv column that holds the crystals. None finds it.
        cell: As for `read_crystals`. None: as given where all crystals have the same number of sites, else Niggli's
            reduced cell, so that equal crystals have equal lattices.
        max_sites: Crystals with more sites are refused.
        conditions: Names of what crystals are generated for, see `CrystalConditions`.
        properties: Columns of numbers that are to be predicted, see `kmatgen.VAE`.
        representation: Arguments of `PointCloud`; or another representation as a dict with its `class_name`,
            `"crystens"`, and `config`.
        test_fraction: Share of the crystals that is held out, between 0 and 1.
        seed: Seed of the split.
        strict: Raise at the first entry that cannot be used, instead of reporting it.
        jobs: Processes that read.
        progress: Show a progress bar.

    Raises:
        InputError: The crystals cannot be read, there are too few, or a condition is unknown.
    """
    codec = _representation(representation or {}, [*conditions, *properties])
    options = {"column": column, "max_sites": max_sites, "strict": strict, "jobs": jobs, "progress": progress}
    # A point cloud puts sites in an order by itself.
    options["order"] = "given" if isinstance(codec, PointCloud) else "cations"
    crystals = read_crystals(source, cell=cell or "given", **options)
    if cell is None and len(np.unique(crystals.table.n_sites)) > 1:
        crystals = read_crystals(source, cell="niggli", **options)
    known = crystals.table[CrystalConditions(conditions).fit(crystals.table).known_rows(crystals.table)]
    train, test = _split(known, test_fraction, seed) if len(known) > 1 else (known, known[:0])
    if len(train) < 2 or not len(test):
        raise InputError(
            "Training needs at least 2 crystals and 1 held out, with all properties that are asked for. "
            f"Received: {len(train)} and {len(test)} of {len(crystals)} from {source}."
        )
    asked, predicted = CrystalConditions(conditions).fit(train), _to_predict(train, properties, conditions)
    if codec.sites is None:
        codec.sites = int(crystals.table.n_sites.max())
    return CrystalSource(crystals, train, test, codec.fit(train), asked, predicted)


def _representation(wanted: dict[str, Any], told: list[str]) -> PointCloud | CrysTens:
    """The representation, not fitted.

    Raises:
        InputError: Nothing can be trained on it, or not with what is told of crystals.
    """
    if "class_name" not in wanted:
        return PointCloud(**wanted)
    codec = registry.get("representation", wanted)
    if not isinstance(codec, PointCloud | CrysTens):
        raise InputError(f"Models are trained on point_cloud or crystens. Received: {wanted['class_name']!r}.")
    if isinstance(codec, CrysTens) and told:
        raise InputError(
            "The networks of CrysTens take no conditions and predict no properties; a point cloud's do. "
            f"Received: {', '.join(told)}."
        )
    return codec


def _to_predict(train: CrystalTable, properties: Sequence[str], conditions: Sequence[str]) -> CrystalConditions:
    strange = [name for name in properties if name not in train.properties or name in conditions]
    if strange:
        raise InputError(
            f"Properties to predict are columns of numbers (here: {', '.join(train.properties) or 'none'}) that are "
            f"not among the conditions. Received: {strange[0]!r}."
        )
    return CrystalConditions(properties).fit(train)


def _split(table: CrystalTable, test_fraction: float, seed: int) -> tuple[CrystalTable, CrystalTable]:
    """By sets of elements; where crystals differ in structure alone, such as those of one element, one by one.

    A crystal with an element that no training crystal has is trained on: nothing could be known of it.
    """
    several = len(set(elements(table))) >= _FEWEST_SYSTEMS
    train, test = split_table(table, test_fraction, seed, by="elements" if several else "crystal")
    known = np.isin(test.species, [0, *np.unique(train.species)]).all(axis=1)
    return CrystalTable.concatenate([train, test[~known]]), test[known]
