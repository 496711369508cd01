import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.neighbors import KNeighborsClassifier

from kmatgen import InputError
from kmatgen.metrics import assign_labels, gan_train_test


def blobs(rng, n, classes=(0, 1, 2)):
    labels = rng.choice(classes, size=n)
    return rng.normal(size=(n, 2)) * 0.3 + 4.0 * np.stack([labels == 1, labels == 2], axis=1), labels


def test_a_right_generator(rng):
    found = gan_train_test(blobs(rng, 90), blobs(rng, 90), blobs(rng, 90))
    assert found[:3] == (1.0, 1.0, 1.0)
    assert found.chance < 0.5


def test_a_generator_that_leaves_a_class_out(rng):
    test = blobs(rng, 90)
    found = gan_train_test(blobs(rng, 90), test, blobs(rng, 90, classes=(0, 1)))
    assert found.gan_test == 1.0
    assert found.gan_train == np.mean(test[1] != 2)


def test_a_generator_that_mixes_classes_up(rng):
    features, labels = blobs(rng, 90)
    found = gan_train_test(blobs(rng, 90), blobs(rng, 90), (features, (labels + 1) % 3), KNeighborsClassifier(1))
    assert found[:3] == (0.0, 0.0, 1.0)


def test_assigned_labels(rng):
    real, labels = blobs(rng, 60)
    features, truth = blobs(rng, 40)
    assert_array_equal(
        assign_labels(real, np.array(["a", "b", "c"])[labels], features), np.array(["a", "b", "c"])[truth]
    )


def test_refuses(rng):
    real = blobs(rng, 20)
    with pytest.raises(InputError, match="at least 2 classes. Received: generated of 1 class"):
        gan_train_test(real, real, (real[0], np.zeros(20, int)))
    with pytest.raises(InputError, match="The labels of test must be 20 labels, one a sample. Received: shape"):
        gan_train_test(real, (real[0], real[1][:5]), real)
