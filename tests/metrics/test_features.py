import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen import InputError
from kmatgen.metrics import Application, PCAOfS2, feature_extractor
from kmatgen.networks import conv_encoder


def stripes(rng, n, period, side=16):
    """Stripes at random places."""
    columns = np.arange(side) + rng.integers(0, side, size=(n, 1))
    return np.broadcast_to((columns // period % 2)[:, None, :, None], (n, side, side, 1)).astype(np.float32)


def test_raw(rng):
    samples = rng.random((5, 4, 4, 3), np.float32)
    features = feature_extractor("raw").fit(samples)(samples)
    assert features.dtype == np.float64
    assert_array_equal(features, samples.reshape(5, -1).astype(float))


def test_pca_of_s2_knows_textures_and_not_places(rng):
    extractor = feature_extractor("pca_s2", components=2, periodic=True)
    real = np.concatenate([stripes(rng, 10, 2), stripes(rng, 10, 4)])
    features = extractor.fit(real)(real)
    assert features.shape == (20, 2)
    assert_allclose(np.mean(features**2), 1.0, rtol=0.1)
    assert_allclose(features[:10], features[:1].repeat(10, 0), atol=1e-6)  # the place makes no difference
    assert abs(features[0, 0] - features[10, 0]) > 1.0
    assert_allclose(extractor(stripes(rng, 3, 4)), features[10:13], atol=1e-6)


def test_pca_of_s2_of_phases_and_of_other_sizes(rng):
    real = rng.random((12, 16, 16, 1))
    extractor = PCAOfS2(4, reach=3, segmentation="otsu").fit(real)
    assert extractor(real[:2]).shape == (2, 4)
    assert extractor(rng.random((2, 24, 24, 1))).shape == (2, 4)  # reach says how far, whatever the size
    with pytest.raises(InputError, match="at least 17 real samples; ask for fewer. Received: 12"):
        PCAOfS2().fit(real)
    with pytest.raises(InputError, match="call fit first"):
        PCAOfS2()(real)
    with pytest.raises(InputError, match="differ in their two-point correlation"):
        PCAOfS2(2).fit(np.full((12, 16, 16, 1), 0.5))
    with pytest.raises(InputError, match="as large as those fit. Received: shape"):
        PCAOfS2(2).fit(real)(rng.random((2, 8, 8, 1)))


def test_encoder_of_a_vae(rng):
    encoder = conv_encoder((16, 16, 1), latent_dim=4, filters=(4, 4))
    samples = rng.random((5, 16, 16, 1), np.float32)
    extractor = feature_extractor(encoder, batch_size=2)
    assert_allclose(extractor(samples), encoder.predict(samples, verbose=0)["mean"], atol=1e-6)
    plain = keras.Sequential([keras.Input((16, 16, 1)), keras.layers.Flatten()])
    assert_allclose(feature_extractor(plain)(samples), samples.reshape(5, -1))


def test_a_function(rng):
    samples = rng.random((5, 8, 8, 1))
    assert_allclose(feature_extractor(lambda x: x.mean(axis=(1, 2))).fit(samples)(samples), samples.mean(axis=(1, 2)))
    with pytest.raises(InputError, match="What the feature function returns must be features"):
        feature_extractor(lambda x: x)(samples)


@pytest.mark.slow
def test_network_of_keras_applications(rng, tmp_path):
    samples = rng.random((3, 16, 16, 1), np.float32)
    extractor = Application("MobileNetV2", size=32, seed=0)
    features = extractor(samples)
    assert features.shape == (3, 1280)
    assert 0.1 < features.std() < 10
    assert_array_equal(features, Application("MobileNetV2", size=32, seed=0)(samples))
    extractor.network.save_weights(tmp_path / "weights.weights.h5")
    loaded = Application("MobileNetV2", weights=tmp_path / "weights.weights.h5", size=32, seed=1)
    assert_array_equal(features, loaded(samples))


def test_refuses():
    with pytest.raises(InputError, match="one of raw, pca_s2, an encoder, or a function of samples. Received: 'cnn'"):
        feature_extractor("cnn")
    with pytest.raises(InputError, match="that of a model of keras.applications. Received: 'Nothing'"):
        Application("Nothing")
    with pytest.raises(InputError, match="nothing is downloaded. Received: absent.h5"):
        Application("MobileNetV2", weights="absent.h5")
