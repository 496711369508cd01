"""Pictures that stand for micrographs."""

import numpy as np
from PIL import Image


def write(path, shape=(20, 30), seed=0):
    """Save noise of 8 bits, in a folder that is made, and return it."""
    pixels = np.random.default_rng(seed).integers(3, 250, shape).astype(np.uint8)
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels
