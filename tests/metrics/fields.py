"""Random media with closed forms, for the tests of what is measured on them."""

import numpy as np
from scipy.spatial import cKDTree


def overlapping_discs(rng, n, side, radius, density):
    """Periodic Boolean model: 1 in discs around a Poisson number of points, 0 between them."""
    pixels = np.stack(np.indices((side, side)), axis=-1).reshape(-1, 2) + 0.5
    images = np.empty((n, side, side), int)
    for image in images:
        centres = rng.uniform(0, side, size=(max(1, rng.poisson(density * side**2)), 2))
        distances, _ = cKDTree(centres, boxsize=side).query(pixels)
        image[:] = (distances < radius).reshape(side, side)
    return images


def poisson_voronoi(rng, n, side, count):
    """Periodic Voronoi cells of `count` random points."""
    pixels = np.stack(np.indices((side, side)), axis=-1).reshape(-1, 2) + 0.5
    return np.stack(
        [
            cKDTree(rng.uniform(0, side, size=(count, 2)), boxsize=side).query(pixels)[1].reshape(side, side)
            for _ in range(n)
        ]
    )


def checkerboard(side=16, cell=4, axes=2):
    return (np.indices((side,) * axes) // cell).sum(axis=0) % 2
