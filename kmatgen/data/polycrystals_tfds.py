"""Synthetic polycrystals as a TensorFlow data set: import this module, then `tfds.load("polycrystals/ipf_64")`.

Nothing is downloaded: the examples are drawn by `kmatgen.data.polycrystal` when the data set is prepared.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from kmatgen.data.polycrystals import COLOURINGS, polycrystal
from kmatgen.errors import InputError

CHUNK = 100  # images held in memory while a split is written


@dataclasses.dataclass(kw_only=True)
class PolycrystalsConfig(tfds.core.BuilderConfig):
    """Which polycrystals are drawn; the arguments of `kmatgen.data.polycrystal`.

    A config of your own needs a `name` of its own, which is also its folder on the disk.

    Attributes:
        colouring: `"ipf"`, `"grey"` or `"boundary"`.
        size: Width and height in pixels.
        train: Number of training images: the images 0 to train - 1 of the seed.
        test: Number of test images: the `test` images after those.
        grain_size: Mean equivalent diameter in pixels, or a range (low, high).
        spread: Standard deviation of the natural log of the equivalent diameter.
        elongation: Aspect ratio of the grains along x, or a range (low, high).
        seed: Which random images.
    """

    colouring: str = "ipf"
    size: int = 64
    train: int = 1000
    test: int = 200
    grain_size: float | tuple[float, float] = (8.0, 20.0)
    spread: float = 0.3
    elongation: float | tuple[float, float] = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn now, and not after a folder has been made.

        Raises:
            InputError: A split would be empty, or `polycrystal` refuses an argument.
        """
        if any(not isinstance(count, int) or count < 1 for count in (self.train, self.test)):
            raise InputError(
                f"train and test are whole numbers of at least 1. Received: train={self.train!r}, test={self.test!r}."
            )
        polycrystal(0, **self.arguments())

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of `polycrystal`, but for `n` and `first`."""
        names = ("size", "grain_size", "spread", "elongation", "colouring", "seed")
        return {name: getattr(self, name) for name in names}


class Polycrystals(tfds.core.GeneratorBasedBuilder):
    """Periodic polycrystals with their grain maps and the grain sizes measured on them.

    Images are stored in 8 bits: divide by 255 for the range [0, 1].
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}
    BUILDER_CONFIGS = [
        PolycrystalsConfig(name=f"{colouring}_64", description=f"Colouring {colouring}, 64 x 64.", colouring=colouring)
        for colouring in COLOURINGS
    ]

    # TFDS looks beside the code for the checksums of downloads. There are none here, and the search of TFDS 4.9.10
    # needs a package that it does not install (tensorflow/datasets issue 11212); None says there is no such place.
    code_path = None

    def _info(self) -> tfds.core.DatasetInfo:
        config = self.builder_config
        shape = (config.size, config.size)
        return tfds.core.DatasetInfo(
            builder=self,
            description="Synthetic periodic polycrystals: Laguerre tessellations with log-normal grain diameters.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(*shape, COLOURINGS[config.colouring]), encoding_format="png"),
                    "grain_map": tfds.features.Tensor(shape=shape, dtype=np.int32, encoding="zlib"),
                    "mean_diameter": tfds.features.Scalar(np.float32),
                    "number_of_grains": tfds.features.Scalar(np.int32),
                }
            ),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        config = self.builder_config
        return {
            "train": self._generate_examples(0, config.train),
            "test": self._generate_examples(config.train, config.train + config.test),
        }

    def _generate_examples(self, start: int, stop: int) -> Iterator[tuple[int, dict[str, Any]]]:
        for first in range(start, stop, CHUNK):
            drawn = polycrystal(min(CHUNK, stop - first), first=first, **self.builder_config.arguments())
            for i, (image, grain_map, statistics) in enumerate(zip(*drawn, strict=True), start=first):
                yield (
                    i,
                    {
                        "image": np.rint(image * 255.0).astype(np.uint8),
                        "grain_map": grain_map,
                        "mean_diameter": statistics.mean_diameter,
                        "number_of_grains": statistics.number_of_grains,
                    },
                )
