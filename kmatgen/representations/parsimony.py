"""Fewer distinct values in generated crystals, after Pauling's rule of parsimony: few kinds of atoms and places."""

from __future__ import annotations

import numpy as np


def clustered(values: np.ndarray, here: np.ndarray, clusters: int) -> np.ndarray:
    """Values of each crystal moved to the means of so many clusters; as they are where a crystal has no more.

    They are cut where the gaps between neighbours are widest, so that the nearest merge first.

    Args:
        values: `(n, sites, k)`, all of one kind, for instance coordinates.
        here: `(n, sites)` whether there is a site.
        clusters: Distinct values to keep.
    """
    values = values.copy()
    for crystal, sites in zip(values, here, strict=True):
        distinct, which = np.unique(crystal[sites].round(4), return_inverse=True)
        if len(distinct) > clusters:
            cuts = np.sort(np.argsort(np.diff(distinct), kind="stable")[len(distinct) - clusters :])
            cluster = np.searchsorted(cuts, np.arange(len(distinct)), side="left")[which.ravel()]
            sums = np.bincount(cluster, crystal[sites].ravel())
            crystal[sites] = (sums / np.bincount(cluster))[cluster].reshape(-1, values.shape[2])
    return values


def repeated(species: np.ndarray, coords: np.ndarray) -> np.ndarray:
    """`(n, sites)`: whether an earlier site of the crystal has the same element at the same place, to 1e-6."""
    places = np.rint(coords * 1e6).astype(np.int64) % 1_000_000
    keys = np.concatenate([species[..., None], places], axis=-1)
    order = np.lexsort(np.moveaxis(keys, -1, 0), axis=-1)
    inorder = np.take_along_axis(keys, order[..., None], axis=1)
    same = np.zeros(species.shape, bool)
    same[:, 1:] = (inorder[:, 1:] == inorder[:, :-1]).all(axis=-1) & (inorder[:, 1:, 0] > 0)
    repeated = np.empty_like(same)
    np.put_along_axis(repeated, order, same, axis=1)
    return repeated
