"""Which kinds of objects a generator leaves out: particles, pores or islands by size and shape.

After Bau et al., "Seeing What a GAN Cannot Generate" (2019): segment real and generated images, count the objects of
each class, and name those that are missing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kmatgen.errors import InputError
from kmatgen.metrics.distributions import wasserstein
from kmatgen.metrics.inputs import as_masks, check_positive, check_same_sides

SIZES = ("small", "medium", "large")
SHAPES = ("round", "elongated", "irregular")
_SOLID = 0.85  # share of its convex hull that an object fills, below which it is irregular
_ROUND = 0.6  # minor over major axis, below which it is elongated
_RESAMPLES = 1000


class Objects(NamedTuple):
    """Objects of all samples, one entry each: sample, equivalent diameter, minor over major axis, and solidity."""

    sample: np.ndarray
    diameter: np.ndarray
    roundness: np.ndarray
    solidity: np.ndarray


class ObjectKind(NamedTuple):
    """How often one kind of object is found.

    Attributes:
        name: Such as `"large round"`.
        real: Mean number in a real sample.
        generated: Mean number in a generated sample.
        ratio: Generated over real, with the ends of its 95 % interval over samples in `low` and `high`.
        low: Lower end.
        high: Upper end.
        missing: Whether even the upper end is below the limit.
    """

    name: str
    real: float
    generated: float
    ratio: float
    low: float
    high: float
    missing: bool


class ObjectOmission(NamedTuple):
    """What generated samples leave out.

    Attributes:
        kinds: Every kind that real samples hold often enough to be judged, the most frequent first.
        missing: Names of those that are missing.
        diameter_distance: Wasserstein-1 distance between equivalent diameters, in the unit of the pixel size.
        roundness_distance: The same between ratios of the minor to the major axis.
    """

    kinds: tuple[ObjectKind, ...]
    missing: tuple[str, ...]
    diameter_distance: float
    roundness_distance: float


def find_objects(phases: np.ndarray, phase: int = 1, *, least_pixels: int = 5, pixel_size: float = 1.0) -> Objects:
    """Measure the connected objects of a phase in images.

    Args:
        phases: Labels from 0, `(n, height, width)`.
        phase: The phase that objects consist of.
        least_pixels: Smaller objects are noise.
        pixel_size: Side of a pixel.
    """
    from skimage.measure import label, regionprops_table

    masks = as_masks("phases", phases, phase)
    if masks.ndim != 3:
        raise InputError(f"Objects are measured in images (n, height, width). Received: shape {masks.shape}.")
    columns = ("area", "equivalent_diameter_area", "axis_major_length", "axis_minor_length", "solidity")
    tables = [regionprops_table(label(_without_specks(mask, least_pixels)), properties=columns) for mask in masks]
    counts = [len(table["area"]) for table in tables]
    joined = {name: np.concatenate([table[name] for table in tables]).astype(float) for name in columns}
    return Objects(
        sample=np.repeat(np.arange(len(masks)), counts),
        diameter=joined["equivalent_diameter_area"] * check_positive("pixel_size", pixel_size),
        roundness=joined["axis_minor_length"] / np.maximum(joined["axis_major_length"], 1e-12),
        solidity=joined["solidity"],
    )


def object_omission(
    real: np.ndarray,
    generated: np.ndarray,
    phase: int = 1,
    *,
    limit: float = 0.5,
    least_pixels: int = 5,
    least_objects: int = 20,
    pixel_size: float = 1.0,
    seed: int = 0,
) -> ObjectOmission:
    """Compare the objects of real and of generated images, kind by kind.

    Sizes are the thirds of the real equivalent diameters. An object that fills less than 85 % of its convex hull is
    irregular; of the others, one whose minor axis is less than 0.6 of its major axis is elongated, and the rest round.

    Args:
        real: Phase labels from 0 of real images, `(n, height, width)`, for instance from `segment`; at least 2.
        generated: Those of generated images, of the same size; at least 2.
        phase: The phase that objects consist of.
        limit: A kind is missing if, at 95 % confidence, less than this share of its real number is generated.
        least_pixels: Smaller objects are noise.
        least_objects: A kind with fewer objects in all real images is not judged.
        pixel_size: Side of a pixel.
        seed: Of the resampling of images from which intervals follow.

    Raises:
        InputError: The images differ in size, are too few, or hold no objects.
    """
    check_same_sides(np.asarray(real), np.asarray(generated))
    if min(len(real), len(generated)) < 2:
        raise InputError(f"Objects need at least 2 images of each. Received: {len(real)} and {len(generated)}.")
    objects = [find_objects(x, phase, least_pixels=least_pixels, pixel_size=pixel_size) for x in (real, generated)]
    if any(len(found.sample) == 0 for found in objects):
        raise InputError(
            f"Real and generated images must hold objects of at least {least_pixels} pixels. "
            f"Received: {len(objects[0].sample)} in real and {len(objects[1].sample)} in generated images."
        )
    edges = np.quantile(objects[0].diameter, (1 / 3, 2 / 3))
    of_real, of_generated = (_count(x, len(y), edges) for x, y in zip(objects, (real, generated), strict=True))
    names = [f"{size} {shape}" for size in SIZES for shape in SHAPES]
    judged = [i for i in np.argsort(-of_real.sum(axis=0), kind="stable") if of_real[:, i].sum() >= least_objects]
    ratios = _resampled_ratios(of_real[:, judged], of_generated[:, judged], seed)
    kinds = tuple(
        _kind(names[i], of_real[:, i].mean(), of_generated[:, i].mean(), column, limit)
        for i, column in zip(judged, ratios.T, strict=True)
    )
    return ObjectOmission(
        kinds=kinds,
        missing=tuple(kind.name for kind in kinds if kind.missing),
        diameter_distance=wasserstein(objects[0].diameter, objects[1].diameter),
        roundness_distance=wasserstein(objects[0].roundness, objects[1].roundness),
    )


def _without_specks(mask: np.ndarray, least_pixels: int) -> np.ndarray:
    from skimage.measure import label

    labels = label(mask)
    large = np.bincount(labels.ravel()) >= least_pixels
    large[0] = False
    return large[labels]


def _count(objects: Objects, samples: int, edges: np.ndarray) -> np.ndarray:
    """How many objects of each kind every sample holds: (samples, kinds)."""
    size = np.searchsorted(edges, objects.diameter, side="right")
    shape = np.where(objects.solidity < _SOLID, 2, np.where(objects.roundness < _ROUND, 1, 0))
    kinds = len(SIZES) * len(SHAPES)
    place = objects.sample * kinds + size * len(SHAPES) + shape
    return np.bincount(place, minlength=samples * kinds).reshape(samples, kinds)


def _resampled_ratios(real: np.ndarray, generated: np.ndarray, seed: int) -> np.ndarray:
    """Generated over real means when images are drawn again with replacement: (resamples, kinds)."""
    rng = np.random.default_rng(seed)
    means = [
        rng.multinomial(len(counts), np.full(len(counts), 1.0 / len(counts)), _RESAMPLES) @ counts / len(counts)
        for counts in (real, generated)
    ]
    return means[1] / np.maximum(means[0], 1e-12)


def _kind(name: str, real: float, generated: float, ratios: np.ndarray, limit: float) -> ObjectKind:
    low, high = np.quantile(ratios, (0.025, 0.975))
    return ObjectKind(
        name, float(real), float(generated), float(generated / real), float(low), float(high), bool(high < limit)
    )
