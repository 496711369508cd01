import numpy as np
from numpy.testing import assert_allclose

import kmatgen as kg
from kmatgen.data.opened import Source
from kmatgen.evaluation.fractions import asked_and_made, follows_fractions


class Obedient:
    """Makes what it is asked for: that share of rows is bright."""

    condition_spec = "any"

    def generate(self, n, condition, seed):
        rows = np.arange(100)[None, :] < 100 * condition[:, :1]
        return np.where(rows, 0.9, 0.1)[:, :, None, None] * np.ones((n, 100, 4, 1))


def source(**more):
    fractions = np.linspace(0.1, 0.9, 9)[:, None]
    return Source(None, np.zeros((9, 100, 4, 1)), {}, fractions, **more)


def test_fractions_are_measured_by_the_threshold_of_the_data():
    asked, made = asked_and_made(Obedient(), source(condition={"size": 1}, threshold=0.5), n=9)
    assert_allclose(asked[:, 0], np.linspace(0.1, 0.9, 9))
    assert_allclose(made, asked, atol=0.01)


def test_only_fractions_are_followed():
    assert follows_fractions(Obedient(), source(condition={"size": 1}, threshold=0.5))
    assert not follows_fractions(Obedient(), source(condition={"classes": 3}, threshold=0.5))
    assert not follows_fractions(Obedient(), source(threshold=0.5))
    plain = kg.GAN(kg.networks.mlp_generator((4,), 2), kg.networks.mlp_discriminator((4,)))
    assert not follows_fractions(plain, source(condition={"size": 1}, threshold=0.5))
