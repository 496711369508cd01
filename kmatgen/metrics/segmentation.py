"""From images to phases: the step before every metric of phases, which a user can replace.

Anything that takes images `(n, height, width, channels)` in [0, 1] and returns whole numbers from 0 of shape
`(n, height, width)` can stand in its place. What is here can be named: `segmenter("otsu")`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import ndimage

from kmatgen.errors import InputError
from kmatgen.metrics.inputs import as_images

Segmentation = Callable[[np.ndarray], np.ndarray]

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # ITU-R BT.709
_PIXELS = 50_000  # drawn at random to find colours


def segment(images: np.ndarray, method: str | Segmentation = "otsu", **options: Any) -> np.ndarray:
    """Divide images into phases, numbered from the darkest.

    Args:
        images: `(n, height, width, channels)` or `(n, depth, height, width, channels)` in [0, 1].
        method: `"otsu"`, `"threshold"`, `"colours"` (found in these images), or a function of images.
        **options: Of the method: see `Otsu`, `Threshold` and `Colours`.

    Returns:
        Labels from 0, int64 of the shape of `images` without its channel axis.
    """
    step = segmenter(method, **options)
    if isinstance(step, Colours):
        step.fit(images)
    return step(images)


def segmenter(method: str | Segmentation = "otsu", **options: Any) -> Segmentation:
    """The segmentation of a name, or the function that was given.

    Raises:
        InputError: No segmentation has that name.
    """
    if callable(method):
        return method
    table = {"otsu": Otsu, "threshold": Threshold, "colours": Colours}
    if method not in table:
        raise InputError(f"A segmentation is one of {', '.join(table)}, or a function. Received: {method!r}.")
    return table[method](**options)


def to_grey(images: np.ndarray) -> np.ndarray:
    """Images without their channel axis, in float64: the luminance of three channels, the mean of any other number."""
    images = as_images("images", images)
    if images.shape[-1] == 3:
        return images @ _LUMINANCE
    return images.mean(axis=-1, dtype=np.float64)


class Otsu:
    """Thresholds of each image by itself, from its grey levels (Otsu 1979): brightness may differ between images.

    An image with fewer grey levels than phases, such as a constant one, has no thresholds; it takes those of all images
    together, and is, if constant, of one phase.

    Args:
        phases: Number of phases, 2 to 5.
        smoothing: Standard deviation in pixels of a Gaussian that goes first. Without it a noisy micrograph has specks
            of each phase in the other; with it generated images without noise are compared fairly with such ones.
    """

    def __init__(self, phases: int = 2, smoothing: float = 0.0):
        if phases not in range(2, 6) or smoothing < 0:
            raise InputError(
                f"Otsu divides into 2 to 5 phases, with smoothing of at least 0. Received: {phases!r}, {smoothing!r}."
            )
        self.phases = phases
        self.smoothing = smoothing

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Segment.

        Raises:
            InputError: All images have fewer grey levels than there shall be phases.
        """
        grey = to_grey(images)
        grey = ndimage.gaussian_filter(grey, self.smoothing, axes=range(1, grey.ndim)) if self.smoothing else grey
        plain = np.array([len(np.unique(image)) < self.phases for image in grey])
        if plain.all():
            raise InputError(
                f"Otsu needs at least {self.phases} grey levels in at least one image; the segmentation 'threshold' "
                f"does not. Received: {len(grey)} images with fewer, about {grey.mean():.4g}."
            )
        together = self._thresholds(grey) if plain.any() else None
        thresholds = [together if one else self._thresholds(image) for image, one in zip(grey, plain, strict=True)]
        return np.stack([np.digitize(image, bins, right=True) for image, bins in zip(grey, thresholds, strict=True)])

    def _thresholds(self, grey: np.ndarray) -> np.ndarray:
        from skimage.filters import threshold_multiotsu, threshold_otsu

        found = [threshold_otsu(grey)] if self.phases == 2 else threshold_multiotsu(grey, self.phases)
        # These are the middles of the last of 256 bins of each phase: its upper half belongs to the phase, too.
        return np.asarray(found) + np.ptp(grey) / 512.0


class Threshold:
    """The same threshold for every image.

    Args:
        level: Grey levels above it are phase 1, all others phase 0.
    """

    def __init__(self, level: float = 0.5):
        if not 0.0 <= level < 1.0:
            raise InputError(f"level must be at least 0 and below 1. Received: {level!r}.")
        self.level = level

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Segment."""
        return (to_grey(images) > self.level).astype(np.int64)


class Colours:
    """The nearest of k colours, which k-means finds in the images that `fit` is given, darkest first.

    Fit on real images, so that the phases of generated ones are the same.

    Args:
        phases: Number of colours, at least 2.
        seed: Of k-means.
    """

    def __init__(self, phases: int = 2, seed: int = 0):
        if phases < 2:
            raise InputError(f"Colours divides into at least 2 phases. Received: {phases!r}.")
        self.phases = phases
        self.seed = seed
        self.centres: np.ndarray | None = None

    def fit(self, images: np.ndarray) -> Colours:
        """Find the colours.

        Raises:
            InputError: The images have fewer colours than there shall be phases.
        """
        from sklearn.cluster import KMeans

        pixels = as_images("images", images).reshape(-1, images.shape[-1]).astype(np.float64)
        if len(pixels) > _PIXELS:
            pixels = np.random.default_rng(self.seed).permutation(pixels)[:_PIXELS]
        colours = len(np.unique(pixels, axis=0))
        if colours < self.phases:
            raise InputError(f"The images must have at least {self.phases} colours. Received: {colours}.")
        centres = KMeans(self.phases, n_init=4, random_state=self.seed).fit(pixels).cluster_centers_
        weights = _LUMINANCE if centres.shape[1] == 3 else np.ones(centres.shape[1])
        self.centres = centres[np.argsort(centres @ weights)]
        return self

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Segment."""
        if self.centres is None:
            raise InputError("Colours needs the colours of real images; call fit with them first. Received: no fit.")
        images = as_images("images", images)
        if images.shape[-1] != self.centres.shape[1]:
            raise InputError(
                f"images must have {self.centres.shape[1]} channels, as those fit had. Received: {images.shape[-1]}."
            )
        # |x - c|^2 without its part that is the same for all c.
        scores = np.sum(self.centres**2, axis=1) - 2.0 * (images @ self.centres.T)
        return scores.argmin(axis=-1)
