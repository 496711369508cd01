"""Images of discs, whose size tells one set of them from another."""

import numpy as np
from PIL import Image


def blobs(n, radius, seed, size=16):
    """Binary images of one disc each, with grey noise below the threshold."""
    rng = np.random.default_rng(seed)
    centre = rng.uniform(0, size, (n, 2, 1, 1))
    radii = rng.uniform(0.8 * radius, 1.2 * radius, (n, 1, 1))
    y, x = np.mgrid[:size, :size]
    inside = (x - centre[:, 0]) ** 2 + (y - centre[:, 1]) ** 2 < radii**2
    return np.clip(0.8 * inside + 0.2 * rng.random(inside.shape), 0, 1).astype(np.float32)[..., None]


TRAIN, TEST = blobs(60, 6, 1), blobs(40, 6, 2)


def write_discs(folder):
    """Four images of four patches each, of discs whose size is that of the image."""
    folder.mkdir()
    for index, radius in enumerate((5, 5.5, 6, 6.5)):
        tiles = blobs(4, radius, index)[..., 0]
        image = np.concatenate([np.concatenate(tiles[:2], axis=1), np.concatenate(tiles[2:], axis=1)])
        Image.fromarray(np.uint8(255 * image)).save(folder / f"{index}.png")
    return folder
