"""Crystals as fields lattice, species and coordinates: the representation to generate with."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from kmatgen.errors import InputError, check_choice
from kmatgen.registry import register
from kmatgen.representations.base import Representation, check_elements
from kmatgen.representations.crystal_table import CrystalTable
from kmatgen.representations.elements import HEAVIEST, element_features
from kmatgen.representations.lattice_code import CODES, encode_lattice
from kmatgen.representations.site_order import ORDERS, circular_mean, find_prototype, order_sites, site_rows, wrapped

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

_ELEMENTS = ("site", "seen", "any")
# What departs from its mean by less in no training crystal is constant: 1e-4 of a length, of a cell, of a strain.
_CONSTANT = 1e-4


@register("representation")
class PointCloud(Representation):
    """A crystal as three fields in training scale, and a mask of its sites.

    * `lattice` `(6,)`: from six numbers of the cell that may take any value, sized for one site
      (`kmatgen.representations.lattice_code`).
    * `species` `(sites, F)`: z-scored physical features of the element (`kmatgen.representations.elements`), so that
      similar elements are near each other; decoded to the nearest element.
    * `coords` `(sites, 3)`: fractional coordinates, wrapped around a centre and scaled.
    * `mask` `(sites,)`: 1 where there is a site. The fields are 0 where there is none.

    **Whitening.** Every dimension has mean 0 and standard deviation 1 over the training data. What is constant there
    (right angles, a coordinate that is always 1/2) is 0 in the arrays, need not be learned and comes back exactly
    whatever the arrays hold; `active` says which dimensions are left. The lattice is turned to its principal axes
    first, so that cubic data has one number to learn and decodes to cubic cells. Species and coordinates are whitened
    for each site by itself (`"site"`) where all crystals have the same number of sites and an order that gives their
    index a meaning. Else (`"feature"`) species are whitened over all sites, and coordinates, whose origin then means
    nothing, have a fixed scale: a cell is 4 long.

    Args:
        sites: Room for this many sites. `None`: as many as the largest training crystal has.
        order: Order of the sites, one of `kmatgen.representations.site_order.ORDERS`. `None`: `role` where all
            training crystals have the same number of sites, else `position`.
        whiten: `"site"`, `"feature"`, or `"no"` for fixed scales. `None`: `"site"` where all training crystals have
            the same number of sites and the order is not `given`, else `"feature"`.
        elements: What species are decoded to: an element that training crystals have at this index (`"site"`), that
            they have at all (`"seen"`), or any up to 118 (`"any"`). `None`: `"site"` where sites are whitened for
            each index, which then means something, else `"seen"`.
        lattice: The numbers of the cell: `"metric"`, from the logarithm of its metric tensor, which always decodes to
            a cell and has the volume on an axis of its own, or `"lengths"`, logarithms of lengths and angles.
        bits: Append the binary digits of the element's index, as -1 and 1, to its features.
        ranges: What `fit` learned.

    Raises:
        InputError: An unknown order, whitening, choice of elements or lattice code.

    Source: physical features and whitening are what a diffusion model on perov_5 gained most from; analog bits are
    Chen, Zhang and Hinton 2022; lengths by number of sites as in Zeni et al. 2023 (MatterGen).
    """

    keeps = "everything but the space group"
    FIELDS = ("lattice", "species", "coords")

    def __init__(
        self,
        sites: int | None = None,
        order: str | None = None,
        whiten: str | None = None,
        elements: str | None = None,
        lattice: str = "metric",
        bits: bool = False,
        ranges: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(sites, ranges)
        check_choice("order", order, (None, *ORDERS))
        check_choice("whiten", whiten, (None, "site", "feature", "no"))
        check_choice("elements", elements, (None, *_ELEMENTS))
        check_choice("lattice", lattice, CODES)
        self.order = order
        self.whiten = whiten
        self.elements = elements
        self.lattice = lattice
        self.bits = bits

    def get_config(self) -> dict[str, Any]:
        own = ("order", "whiten", "elements", "lattice", "bits")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}

    # Shapes and constants

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        features = self.constants["codes"].shape[1]
        return {"lattice": (6,), "species": (self.sites, features), "coords": (self.sites, 3), "mask": (self.sites,)}

    @property
    def active(self) -> dict[str, np.ndarray]:
        """By field, float32 of its shape: 1 for the dimensions that vary in the training data, 0 for the constant."""
        scales = {name: self.constants[f"{name}_scale"] > 0 for name in self.FIELDS}
        return {name: np.broadcast_to(scales[name], self.shapes[name]).astype(np.float32) for name in self.FIELDS}

    @property
    def period(self) -> np.ndarray:
        """`(sites, 3)` float32: the length of a cell edge in the scale of `coords`; 0 in constant dimensions."""
        scale = np.broadcast_to(self.constants["coords_scale"], (self.sites, 3))
        return np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0).astype(np.float32)

    @cached_property
    def constants(self) -> dict[str, np.ndarray]:
        """What was learned as arrays: `numbers` `(E,)` elements and their `codes` `(E, F)`, `allowed` `(sites | 1, E)`,
        and mean and scale of each field.
        """
        self.check_fitted()
        names = ("numbers", "allowed", *(f"{field}_{what}" for field in self.FIELDS for what in ("mean", "scale")))
        constants = {name: np.asarray(self.ranges[name]) for name in names}
        return {
            **constants,
            "codes": _element_codes(constants["numbers"], self.bits),
            "lattice_axes": np.asarray(self.ranges["lattice_axes"]),
        }

    # Learning

    def fit(self, table: CrystalTable) -> PointCloud:
        self.__dict__.pop("constants", None)
        return super().fit(table)

    def learn(self, table: CrystalTable) -> dict[str, Any]:
        same_count = len(np.unique(table.n_sites)) == 1
        self.order = self.order or ("role" if same_count else "position")
        self.whiten = self.whiten or ("site" if same_count and self.order != "given" else "feature")
        if self.whiten == "site" and not same_count:
            raise InputError(
                "Whitening for each site needs crystals that all have the same number of sites; use "
                f"whiten='feature'. Received: from {table.n_sites.min()} to {table.n_sites.max()} sites."
            )
        prototype = find_prototype(table) if self.order == "role" else None
        table = order_sites(table, self.order, prototype)
        seen = np.unique(table.species[table.mask])
        self.elements = self.elements or ("site" if self.whiten == "site" else "seen")
        numbers = np.arange(1, HEAVIEST + 1) if self.elements == "any" else seen
        found = {
            "prototype": prototype,
            "numbers": numbers,
            "allowed": self._allowed(table, numbers),
            **self._lattice_ranges(table),
            **self._species_ranges(table, _element_codes(numbers, self.bits)[np.searchsorted(numbers, table.species)]),
            **self._coords_ranges(table),
        }
        return {name: None if values is None else np.asarray(values).tolist() for name, values in found.items()}

    def _allowed(self, table: CrystalTable, numbers: np.ndarray) -> np.ndarray:
        if self.elements != "site":
            return np.ones((1, len(numbers)), bool)
        # Where no training crystal has a site, nothing is known of it.
        there = (table.species[..., None] == numbers).any(axis=0)
        return there | ~there.any(axis=1, keepdims=True)

    def _lattice_ranges(self, table: CrystalTable) -> dict[str, np.ndarray]:
        values = encode_lattice(table, self.lattice)
        if self.whiten == "no":
            return {"lattice_mean": np.zeros(6), "lattice_scale": np.ones(6), "lattice_axes": np.eye(6)}
        mean = values.mean(axis=0)
        _, axes = np.linalg.eigh(np.atleast_2d(np.cov(values - mean, rowvar=False, bias=True)))
        # Largest first; the sign of an axis is free: its largest entry is positive.
        axes = axes[:, ::-1] * np.sign(np.take_along_axis(axes, np.abs(axes).argmax(axis=0)[None], axis=0))[:, ::-1]
        return {"lattice_mean": mean, "lattice_scale": _scale((values - mean) @ axes), "lattice_axes": axes}

    def _species_ranges(self, table: CrystalTable, codes: np.ndarray) -> dict[str, np.ndarray]:
        if self.whiten == "no":
            return {"species_mean": np.zeros((1, codes.shape[2])), "species_scale": np.ones((1, codes.shape[2]))}
        values = codes if self.whiten == "site" else codes[table.mask][:, None]
        mean = values.mean(axis=0)
        return {"species_mean": mean, "species_scale": _scale(values - mean)}

    def _coords_ranges(self, table: CrystalTable) -> dict[str, np.ndarray]:
        if self.whiten != "site":
            # Of sites whose index means nothing, no place in the cell is special: a cell is 4 long on each axis.
            return {"coords_mean": np.full((1, 3), 0.25), "coords_scale": np.full((1, 3), 0.25)}
        centre = circular_mean(table.coords)
        centre = wrapped(table.coords, centre).mean(axis=0)
        return {"coords_mean": centre, "coords_scale": _scale(wrapped(table.coords, centre) - centre)}

    # Encoding

    def site_rows(self, table: CrystalTable) -> np.ndarray:
        """`(n, sites)` which site of each crystal of a table stands at each place of the arrays."""
        self.check_fitted()
        return site_rows(table, self.order, self.ranges["prototype"])

    def to_arrays(self, table: CrystalTable) -> dict[str, np.ndarray]:
        known = self.constants
        check_elements(table, known["numbers"])
        table = order_sites(table, self.order, self.ranges["prototype"])
        here = table.mask[..., None]
        codes = known["codes"][np.searchsorted(known["numbers"], table.species)]
        lattice = (encode_lattice(table, self.lattice) - known["lattice_mean"]) @ known["lattice_axes"]
        coords = wrapped(table.coords, known["coords_mean"]) - known["coords_mean"]
        return {
            "lattice": _divide(lattice, known["lattice_scale"]),
            "species": _divide(codes - known["species_mean"], known["species_scale"]) * here,
            "coords": _divide(coords, known["coords_scale"]) * here,
            "mask": table.mask,
        }

    # Decoding

    def decode_tensors(self, arrays: dict[str, tf.Tensor], mask: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        """Training scale to physical units in TensorFlow; see `PointCloudDecoder`.

        Args:
            arrays: `lattice`, `species` and `coords`, and `mask` unless it is given by itself.
            mask: `(n, sites)`, above 1/2 where there is a site.
        """
        fields = {name: arrays[name] for name in self.FIELDS}
        return self.decoder_layer({**fields, "mask": arrays["mask"] if mask is None else mask})

    @property
    def decoder_layer(self) -> keras.layers.Layer:
        from kmatgen.representations.point_cloud_decoder import PointCloudDecoder

        return PointCloudDecoder(self)


def _element_codes(numbers: np.ndarray, bits: bool) -> np.ndarray:
    """`(E, F)` features of elements, z-scored over them, with the digits of their index where wanted."""
    features = element_features()[numbers]
    spread = features.std(axis=0)
    codes = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    if not bits:
        return codes
    digits = np.arange(max(1, (len(numbers) - 1).bit_length()))
    return np.concatenate([codes, 2.0 * (np.arange(len(numbers))[:, None] >> digits & 1) - 1.0], axis=1)


def _scale(deviations: np.ndarray) -> np.ndarray:
    """Standard deviation over the first axis; 0 where nothing departs from the mean."""
    varies = np.abs(deviations).max(axis=0) > _CONSTANT
    return np.where(varies, deviations.std(axis=0), 0.0)


def _divide(values: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return np.divide(values, scale, out=np.zeros_like(values), where=scale > 0)
