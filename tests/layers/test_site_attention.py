import numpy as np
import pytest
from numpy.testing import assert_allclose

import kmatgen as kg
from kmatgen.layers import PeriodicDifferences, SiteAttention


def inputs(rng, sites=5):
    x, vector = rng.normal(size=(2, sites, 6)), rng.normal(size=(2, 3))
    return x.astype("float32"), rng.random((2, sites, 3)).astype("float32"), vector.astype("float32")


def attend(layer, x, coords, vector, mask):
    return np.asarray(layer(x, PeriodicDifferences(2)(coords), vector, mask))


def test_order_of_sites_means_nothing(rng):
    x, coords, vector = inputs(rng)
    layer, mask, order = SiteAttention(8, heads=2, pair_width=4), np.ones((2, 5), np.float32), [3, 0, 4, 2, 1]
    found = attend(layer, x, coords, vector, mask)
    assert found.shape == (2, 5, 8)
    assert_allclose(attend(layer, x[:, order], coords[:, order], vector, mask), found[:, order], atol=1e-5)


def test_sites_that_are_not_there_change_nothing(rng):
    x, coords, vector = inputs(rng)
    layer, mask = SiteAttention(8, heads=2, pair_width=4), np.array([[1, 1, 1, 0, 0]] * 2, np.float32)
    found = attend(layer, x, coords, vector, mask)
    x[:, 3:], coords[:, 3:] = 100, 0.123
    assert_allclose(attend(layer, x, coords, vector, mask)[:, :3], found[:, :3], atol=1e-5)


def test_by_hand(rng):
    """One head without queries and with a constant value: the mean of what the pairs say."""
    x, coords, vector = inputs(rng, sites=2)
    layer = SiteAttention(1, heads=1, pair_width=1)
    mask = np.ones((2, 2), np.float32)
    attend(layer, x, coords, vector, mask)
    layer.project.set_weights([np.zeros((6, 3), np.float32)])
    layer.combine.set_weights([np.array([[0], [1]], np.float32), np.zeros(1, np.float32)])
    pairs = np.asarray(PeriodicDifferences(2)(coords))
    kernel, bias = layer.pair_in.get_weights()
    hidden = pairs @ kernel + bias + (vector @ layer.pair_meaning.get_weights()[0])[:, None, None]
    out = hidden / (1 + np.exp(-hidden)) @ layer.pair_out.get_weights()[0]
    read, logits = out[..., :1] / (1 + np.exp(-out[..., :1])), out[..., 1:]
    weights = np.exp(logits) / np.exp(logits).sum(2, keepdims=True)
    assert_allclose(attend(layer, x, coords, vector, mask), (weights * read).sum(2), rtol=1e-4, atol=1e-6)


def test_refuses_a_width_that_heads_do_not_divide():
    with pytest.raises(kg.InputError, match=r"Received: width=8, heads=3"):
        SiteAttention(8, heads=3)
