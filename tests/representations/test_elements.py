import numpy as np
from numpy.testing import assert_allclose

from kmatgen.representations.elements import element_features


def test_titanium_and_argon():
    features = element_features()
    assert_allclose(features[22], [4, 4, 1.54, 1.40, 0, 0, 1, 51])
    # Argon has no electronegativity: half way between chlorine and potassium.
    assert_allclose(features[18, 2], (3.16 + 0.82) / 2)


def test_every_element_is_another_point():
    features = element_features()[1:]
    assert np.isfinite(features).all()
    assert len(np.unique(features, axis=0)) == 118
