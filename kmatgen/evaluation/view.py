"""Samples as metrics look at them: their grey levels, phases and features, each computed once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from kmatgen.errors import InputError
from kmatgen.metrics.features import FeatureExtractor, feature_extractor
from kmatgen.metrics.segmentation import Segmentation, segmenter, to_grey
from kmatgen.metrics.watershed import segment_grains

# Grey levels beyond [0, 1] by less than this come from rounding.
_ROUNDING = 1e-3


@dataclass
class Settings:
    """How samples are looked at, the same way for real and generated ones.

    Attributes:
        segment: Name of a segmentation (`"otsu"`, `"threshold"`, `"colours"`), or a function of images.
        features: Name of a feature extractor (`"pca_s2"`, `"raw"`), an encoder, or a function of images.
        pixel_size: Side of a pixel in micrometres. `None`: lengths are in pixels.
        phase: The phase whose correlation, chords and surface are measured; 1 is the brighter of two.
        periodic: Whether samples continue at their opposite sides.
        seed: Of what is drawn at random.

    Raises:
        InputError: There is no such segmentation or feature extractor, or pixels have no size.
    """

    segment: str | Segmentation = "otsu"
    features: str | Callable[[np.ndarray], np.ndarray] = "pca_s2"
    pixel_size: float | None = None
    phase: int = 1
    periodic: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.pixel_size is not None and not self.pixel_size > 0:
            raise InputError(f"pixel_size is above 0, in micrometres, or None. Received: {self.pixel_size!r}.")
        # Said before anything is computed or written, and once rather than for each metric.
        segmenter(self.segment)
        feature_extractor(self.features)

    @property
    def unit(self) -> str:
        """Unit of lengths."""
        return "px" if self.pixel_size is None else "um"

    @property
    def name(self) -> str | None:
        """What tells these settings from others, or None where a function of the user's is among them."""
        if not isinstance(self.segment, str) or not isinstance(self.features, str):
            return None
        return repr((self.segment, self.features, self.pixel_size, self.phase, self.periodic))


class Eye:
    """Settings made ready on real samples: thresholds and features are learnt from those, never from generated ones.

    Args:
        settings: How to look.
        real: Real samples `(n, ..., channels)` to learn from.
    """

    def __init__(self, settings: Settings, real: np.ndarray) -> None:
        self.settings = settings
        self._real = real

    @cached_property
    def segmentation(self) -> Segmentation:
        """From images to labels."""
        step = segmenter(self.settings.segment)
        if hasattr(step, "fit"):
            step.fit(self._real)
        return step

    @cached_property
    def extractor(self) -> FeatureExtractor:
        """From images to feature vectors."""
        options: dict[str, Any] = {}
        if self.settings.features == "pca_s2":
            # With fewer samples than components there are fewer components.
            components = max(1, min(16, len(self._real) // 4))
            options = {"components": components, "periodic": self.settings.periodic, "whiten": True}
            # Of phases: grey levels would make one bright image count more than all structure.
            options["segmentation"] = self.segmentation
        return feature_extractor(self.settings.features, **options).fit(self._real)


class View:
    """A set of samples, seen through an `Eye`.

    Args:
        samples: `(n, height, width, channels)` or `(n, depth, height, width, channels)` in [0, 1].
        eye: How to look at them.
    """

    def __init__(self, samples: np.ndarray, eye: Eye) -> None:
        self.samples = samples
        self.eye = eye

    @property
    def settings(self) -> Settings:
        """How the samples are looked at."""
        return self.eye.settings

    @property
    def pixel_size(self) -> float:
        """Side of a pixel in the unit of lengths."""
        return self.settings.pixel_size or 1.0

    @cached_property
    def content_hash(self) -> str:
        """One sha256 over the values and the shape of the samples."""
        digest = hashlib.sha256(repr((self.samples.shape, self.samples.dtype.str)).encode())
        digest.update(np.ascontiguousarray(self.samples).data)
        return digest.hexdigest()

    @cached_property
    def grey(self) -> np.ndarray:
        """Grey levels `(n, ...sides)`."""
        return to_grey(self.samples)

    @cached_property
    def phases(self) -> np.ndarray:
        """Labels `(n, ...sides)`."""
        return self.eye.segmentation(self.samples)

    @cached_property
    def mask(self) -> np.ndarray:
        """Where the phase is that is measured.

        Raises:
            InputError: None of the samples holds it.
        """
        mask = self.phases == self.settings.phase
        if not mask.any():
            raise InputError(
                f"Phase {self.settings.phase} has to be in the samples; choose another segmentation. "
                f"Received: {len(mask)} samples with phase {', '.join(map(str, np.unique(self.phases)[:5]))} alone."
            )
        return mask

    @cached_property
    def grains(self) -> np.ndarray:
        """A label for each grain, `(n, ...sides)`, by watershed."""
        return segment_grains(self.samples, periodic=self.settings.periodic)

    @cached_property
    def features(self) -> np.ndarray:
        """Feature vectors `(n, features)`."""
        return self.eye.extractor(self.samples)


def as_samples(name: str, values: Any) -> np.ndarray:
    """Images or volumes with their channel axis, checked.

    Args:
        name: What to call them in an error.
        values: `(n, height, width)`, `(n, height, width, channels)` with up to 4 channels, `(n, depth, height, width)`
            or `(n, depth, height, width, channels)`, in [0, 1]; whole numbers of 8 bits are divided by 255 unless
            they are masks of 0 and 1.

    Raises:
        InputError: The shape is another, there are no samples, or a value is not finite or out of range.
    """
    if isinstance(values, dict):
        raise InputError(
            f"{name} samples are images or volumes here; crystals are judged by crystals, and not beside images. "
            f"Received: samples with {', '.join(values)}."
        )
    samples = np.asarray(values)
    if samples.dtype == np.uint8 and samples.max(initial=0) > 1:
        samples = samples.astype(np.float32) / np.float32(255.0)
    if samples.ndim == 3 or (samples.ndim == 4 and samples.shape[-1] > 4):
        samples = samples[..., None]
    if samples.ndim not in (4, 5) or len(samples) == 0:
        raise InputError(
            f"{name} samples are images (n, height, width, channels) or volumes (n, depth, height, width, channels). "
            f"Received: shape {np.shape(values)}."
        )
    bad = ~np.isfinite(samples).reshape(len(samples), -1).all(axis=1)
    if bad.any():
        raise InputError(
            f"{name} samples have to be finite; leave those with NaN or infinity out. "
            f"Received: {bad.sum()} of {len(samples)} such samples, the first at index {bad.argmax()}."
        )
    low, high = float(samples.min()), float(samples.max())
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        raise InputError(
            f"{name} samples are in [0, 1]; scale them as the model's training data were. "
            f"Received: values from {low:.4g} to {high:.4g}."
        )
    return np.clip(samples, 0.0, 1.0, dtype=np.float32)
