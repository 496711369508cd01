"""Handwritten digits with their classes: the set on which a conditional GAN is tried first."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from kmatgen.errors import InputError

_MAGIC = {"images": 2051, "labels": 2049}


class Digits(NamedTuple):
    """Digits.

    Attributes:
        images: `(n, size, size, 1)` float32 in [0, 1], white on black.
        labels: `(n,)` int32, 0 to 9.
        source: Where they come from.
    """

    images: np.ndarray
    labels: np.ndarray
    source: str


def load_digits(source: str | Path | None = None, size: int = 32) -> Digits:
    """Handwritten digits, enlarged to a power of two.

    Args:
        source: A folder with MNIST's idx files (`*-images-idx3-ubyte`, `*-labels-idx1-ubyte`, plain or `.gz`);
            `"tfds"` for TensorFlow Datasets' mnist, which is downloaded if need be; `"sklearn"` for the 1,797
            digits of 8 x 8 pixels that scikit-learn ships. `None`: mnist if TensorFlow Datasets has it here
            already, else scikit-learn's.
        size: Side of the images in pixels.

    Raises:
        InputError: The digits cannot be had, or are no digits.
    """
    if source is None:
        return _from_tfds(size, download=False) or _from_sklearn(size)
    if source == "tfds":
        digits = _from_tfds(size, download=True)
        if digits is None:
            raise InputError("TensorFlow Datasets cannot give mnist here; use a folder or sklearn. Received: 'tfds'.")
        return digits
    return _from_sklearn(size) if source == "sklearn" else _from_idx(Path(source), size)


def _from_idx(folder: Path, size: int) -> Digits:
    arrays = {}
    for kind, dimensions in (("images", 3), ("labels", 1)):
        found = sorted(folder.glob(f"*-{kind}-idx{dimensions}-ubyte*")) if folder.is_dir() else []
        if not found:
            raise InputError(f"A folder of digits holds a file *-{kind}-idx{dimensions}-ubyte. Received: {folder}.")
        # MNIST's own file names sort t10k before train: the larger set is the last.
        arrays[kind] = _read_idx(found[-1], kind)
    if len(arrays["images"]) != len(arrays["labels"]):
        counts = f"{len(arrays['images'])} images, {len(arrays['labels'])} labels"
        raise InputError(f"Every digit needs its label. Received: {counts} in {folder}.")
    return Digits(_enlarged(arrays["images"], 255.0, size), arrays["labels"].astype(np.int32), str(folder))


def _read_idx(path: Path, kind: str) -> np.ndarray:
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rb") as file:
            content = file.read()
    except (OSError, EOFError) as error:
        raise InputError(f"{path} cannot be read: {error}. Received: {path}.") from error
    words = 4 if kind == "images" else 2
    header = np.frombuffer(content[: 4 * words], ">u4")
    if len(header) < words or header[0] != _MAGIC[kind] or len(content) != 4 * words + int(np.prod(header[1:])):
        raise InputError(f"{path} is no complete idx file of {kind}. Received: {len(content)} bytes.")
    return np.frombuffer(content, np.uint8, offset=4 * words).reshape(header[1:])


def _from_tfds(size: int, download: bool) -> Digits | None:
    import tensorflow_datasets as tfds

    try:
        data = tfds.load("mnist", split="train", download=download)
    except Exception:  # what TFDS raises without network or prepared files is not documented
        return None
    examples = list(data.as_numpy_iterator())
    images = np.stack([example["image"][..., 0] for example in examples])
    labels = np.array([example["label"] for example in examples], np.int32)
    return Digits(_enlarged(images, 255.0, size), labels, "TensorFlow Datasets, mnist")


def _from_sklearn(size: int) -> Digits:
    from sklearn import datasets

    data = datasets.load_digits()
    return Digits(_enlarged(data.images, 16.0, size), data.target.astype(np.int32), "scikit-learn, digits")


def _enlarged(images: np.ndarray, scale: float, size: int) -> np.ndarray:
    scaled = tf.constant(images[..., None], tf.float32) / scale
    return np.clip(tf.image.resize(scaled, (size, size), "bicubic", antialias=True).numpy(), 0.0, 1.0)
