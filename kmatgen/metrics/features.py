"""From samples to the feature vectors that distances between samples are computed of.

An extractor is any function from samples `(n, height, width, channels)` in [0, 1] to `(n, features)`. One that learns
from real samples has a method `fit`. What is here can be named: `feature_extractor("pca_s2").fit(real)`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kmatgen.errors import InputError
from kmatgen.metrics.correlation import lags, two_point_correlation
from kmatgen.metrics.inputs import as_features, as_images
from kmatgen.metrics.segmentation import Segmentation, segmenter, to_grey

if TYPE_CHECKING:
    import keras


class FeatureExtractor:
    """From samples to features; what it has to learn, it learns from real samples in `fit`."""

    def fit(self, real: np.ndarray) -> FeatureExtractor:
        """Learn from real samples; most extractors have nothing to learn."""
        del real
        return self

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Features `(n, features)` in float64 of samples `(n, ...)`."""
        raise NotImplementedError


def feature_extractor(identifier: str | Callable[[np.ndarray], np.ndarray], **options: Any) -> FeatureExtractor:
    """The extractor of a name (`"raw"`, `"pca_s2"`), or one around a network or a function.

    Args:
        identifier: A name, an extractor, an encoder (a `keras.Model` from images to a latent point, or to a dict with
            `mean`), or a function from samples to `(n, features)`.
        **options: Of the extractor that is named.

    Raises:
        InputError: No extractor has that name.
    """
    table = {"raw": Raw, "pca_s2": PCAOfS2}
    if isinstance(identifier, FeatureExtractor):
        return identifier
    if isinstance(identifier, str) and identifier in table:
        return table[identifier](**options)
    if hasattr(identifier, "predict_on_batch"):
        return Encoder(identifier, **options)
    if callable(identifier):
        return Function(identifier)
    raise InputError(
        f"Features are one of {', '.join(table)}, an encoder, or a function of samples. Received: {identifier!r}."
    )


class Raw(FeatureExtractor):
    """The values of the samples themselves."""

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Features."""
        samples = np.asarray(samples)
        return as_features("samples", samples.reshape(len(samples), -1), least=1)


class Function(FeatureExtractor):
    """What a function of samples returns, checked.

    Args:
        function: From samples `(n, ...)` to `(n, features)`.
    """

    def __init__(self, function: Callable[[np.ndarray], np.ndarray]):
        self.function = function

    def fit(self, real: np.ndarray) -> Function:
        """Fit the function, if it can be."""
        if hasattr(self.function, "fit"):
            self.function.fit(real)
        return self

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Features."""
        return as_features("What the feature function returns", self.function(samples), least=1)


class PCAOfS2(FeatureExtractor):
    """Principal components of the two-point correlation: what materials scientists know a microstructure by.

    S2 of the grey levels, or of the bright phase, for all vectors up to `reach`; then the components that vary most
    among real samples (Niezgoda, Yabansu and Kalidindi, Acta Materialia 59, 2011). All are scaled by one factor, so
    that the mean square of a feature is 1 over the real samples. The first of them is then most of every distance: how
    bright a sample is.

    Args:
        components: How many, at most one less than there are real samples.
        reach: Longest part of a vector along an axis, in pixels; at most half the shortest side.
        segmentation: Name or function that makes phases of images; S2 is that of phase 1. None: grey levels.
        periodic: Whether samples continue at their opposite sides.
        whiten: Scale each component by itself, and add one feature: how far the correlation lies outside of the
            components (Jackson and Mudholkar, Technometrics 21, 1979). Fine structure then counts as much as
            brightness, and correlations that real samples never have are far from them.
    """

    def __init__(
        self,
        components: int = 16,
        reach: int = 32,
        segmentation: str | Segmentation | None = None,
        periodic: bool = False,
        whiten: bool = False,
    ):
        if components < 1 or reach < 1:
            raise InputError(f"components and reach must be at least 1. Received: {components=}, {reach=}.")
        self.components = components
        self.reach = reach
        self.segmentation = None if segmentation is None else segmenter(segmentation)
        self.periodic = periodic
        self.whiten = whiten
        self.pca: Any = None
        self.scale: float | np.ndarray = 1.0

    def fit(self, real: np.ndarray) -> PCAOfS2:
        """Find the components.

        Raises:
            InputError: There are not more real samples than components, or all have the same correlation.
        """
        from sklearn.decomposition import PCA

        if len(real) <= self.components:
            raise InputError(
                f"{self.components} components need at least {self.components + 1} real samples; ask for fewer. "
                f"Received: {len(real)}."
            )
        if self.segmentation is not None and hasattr(self.segmentation, "fit"):
            self.segmentation.fit(real)
        maps = self._maps(real)
        if np.ptp(maps, axis=0).max() < 1e-9:
            raise InputError(
                "Real samples must differ in their two-point correlation. Received: the same correlation in all."
            )
        components = min(self.components, maps.shape[1])
        self.pca = PCA(components, svd_solver="full").fit(maps)
        scale = float(np.sqrt(np.mean(self.pca.explained_variance_)))
        # Whitened by a component that hardly varies, noise would count as much as structure.
        self.scale = np.maximum(self._project(maps).std(axis=0), 1e-6 * scale) if self.whiten else scale
        return self

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Features.

        Raises:
            InputError: There was no fit, or the samples are of another size than those of the fit.
        """
        if self.pca is None:
            raise InputError("'pca_s2' learns its components from real samples; call fit first. Received: no fit.")
        maps = self._maps(samples)
        if maps.shape[1] != self.pca.n_features_in_:
            raise InputError(f"Samples must be as large as those fit. Received: shape {np.shape(samples)}.")
        return self._project(maps) / self.scale

    def _project(self, maps: np.ndarray) -> np.ndarray:
        """Components of maps, and if whitened the distance to what the components describe."""
        components = self.pca.transform(maps)
        if not self.whiten:
            return components
        outside = np.linalg.norm(maps - self.pca.inverse_transform(components), axis=1)
        return np.column_stack([components, outside])

    def _maps(self, samples: np.ndarray) -> np.ndarray:
        """S2 of one of each pair of opposite vectors, flat."""
        fields = to_grey(samples) if self.segmentation is None else self.segmentation(samples) == 1
        maps = two_point_correlation(fields, self.periodic)
        reach = min(self.reach, (min(maps.shape[1:]) - 1) // 2)
        near = [np.flatnonzero(np.abs(lags(side)) <= reach) for side in maps.shape[1:-1]]
        return maps[np.ix_(range(len(maps)), *near, range(reach + 1))].reshape(len(maps), -1)


class Encoder(FeatureExtractor):
    """The latent point that a network gives to a sample, such as the encoder of a trained VAE.

    Args:
        network: From images to a latent point `(n, features)`, or to a dict that has it as `mean`.
        batch_size: Images encoded at a time.
    """

    def __init__(self, network: keras.Model, batch_size: int = 64):
        self.network = network
        self.batch_size = batch_size

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Features."""
        samples = np.asarray(samples, np.float32)
        batches = [
            self.network.predict_on_batch(samples[start : start + self.batch_size])
            for start in range(0, len(samples), self.batch_size)
        ]
        latent = [batch["mean"] if isinstance(batch, dict) else batch for batch in batches]
        return as_features("What the encoder returns", np.concatenate(latent), least=1)


class Application(FeatureExtractor):
    """The pooled last layer of a network of `keras.applications`.

    Nothing is downloaded. Without weights the network is random, the same for the same seed: enough to tell sets apart,
    but its distances cannot be compared with published ones.

    Args:
        name: Such as `"InceptionV3"` or `"MobileNetV2"`.
        weights: File of weights without the classifier (`..._notop.h5`). None: random.
        size: Side in pixels to which images are resized.
        batch_size: Images at a time.
        seed: Of random weights.
    """

    def __init__(
        self,
        name: str,
        weights: str | Path | None = None,
        size: int = 128,
        batch_size: int = 64,
        seed: int = 0,
    ):
        import keras

        build = getattr(keras.applications, name, None)
        if not (name[:1].isupper() and callable(build)):
            raise InputError(f"name must be that of a model of keras.applications. Received: {name!r}.")
        if weights is not None and not Path(weights).is_file():
            raise InputError(f"weights must be a file; nothing is downloaded. Received: {weights}.")
        self.network = build(
            include_top=False,
            weights=None if weights is None else str(weights),
            input_shape=(size, size, 3),
            pooling="avg",
        )
        if weights is None:
            _draw_kernels(self.network, seed)
        self.preprocess = _preprocessing(build)
        self.size = size
        self.batch_size = batch_size

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """Features."""
        import keras

        images = as_images("samples", samples)
        features = []
        for start in range(0, len(images), self.batch_size):
            batch = np.asarray(images[start : start + self.batch_size], np.float32)
            if batch.shape[-1] != 3:
                batch = np.repeat(batch.mean(axis=-1, keepdims=True), 3, axis=-1)
            resized = np.asarray(keras.ops.image.resize(batch, (self.size, self.size), antialias=True))
            features.append(self.network.predict_on_batch(self.preprocess(255.0 * resized)))
        return as_features("What the network returns", np.concatenate(features), least=1)


def _draw_kernels(network: keras.Model, seed: int) -> None:
    """Random kernels that depend on the seed alone: those that Keras draws depend on what was drawn before."""
    rng = np.random.default_rng(seed)
    for weight in network.trainable_weights:
        if len(weight.shape) > 1:
            # The kernel of a depthwise convolution, (height, width, channels, 1), sums over its window alone.
            fan_in = np.prod(weight.shape[:2] if "depthwise" in weight.path else weight.shape[:-1])
            weight.assign(rng.normal(0.0, np.sqrt(2.0 / fan_in), weight.shape))


def _preprocessing(build: Callable) -> Callable[[np.ndarray], np.ndarray]:
    """The scaling that belongs to a network: `preprocess_input` of the module that it was written in."""
    import importlib

    return importlib.import_module(build.__module__).preprocess_input
