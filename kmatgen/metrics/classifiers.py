"""Judging labelled samples by a classifier: GAN-train and GAN-test."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from kmatgen.errors import InputError
from kmatgen.metrics.inputs import as_features, as_labels

Labelled = tuple[np.ndarray, np.ndarray]


class GanTrainTest(NamedTuple):
    """Accuracies of a classifier on features.

    Attributes:
        gan_train: Trained on generated, tested on real samples: falls where generated ones are wrong or few in kind.
        gan_test: Trained on real, tested on generated samples: falls where generated ones are wrong, not where they
            are few in kind; far above `real` it says that training samples are remembered.
        real: Trained on real, tested on other real samples: what the two can reach.
        chance: Share of the most frequent class among the real samples of the test: what guessing reaches.
    """

    gan_train: float
    gan_test: float
    real: float
    chance: float


def gan_train_test(training: Labelled, test: Labelled, generated: Labelled, classifier: Any = None) -> GanTrainTest:
    """GAN-train and GAN-test of class-conditional samples (Shmelkov, Schmid and Alahari, "How good is my GAN?", 2018).

    Args:
        training: Features `(n, d)` and labels `(n,)` of real samples.
        test: Features and labels of other real samples.
        generated: Features of generated samples and the labels that were asked for.
        classifier: A scikit-learn classifier. None: logistic regression on standardised features.

    Raises:
        InputError: The samples to train on are of one class, or features and labels do not fit together.
    """
    sets = {"training": training, "test": test, "generated": generated}
    checked = {name: _checked(name, *labelled) for name, labelled in sets.items()}
    on_real = _fit("training", *checked["training"], classifier)
    on_generated = _fit("generated", *checked["generated"], classifier)
    _, counts = np.unique(checked["test"][1], return_counts=True)
    return GanTrainTest(
        gan_train=_accuracy(on_generated, *checked["test"]),
        gan_test=_accuracy(on_real, *checked["generated"]),
        real=_accuracy(on_real, *checked["test"]),
        chance=float(counts.max() / counts.sum()),
    )


def assign_labels(real: np.ndarray, labels: np.ndarray, generated: np.ndarray, classifier: Any = None) -> np.ndarray:
    """The class that a classifier trained on real samples gives to each generated one.

    Args:
        real: Features `(n, d)`.
        labels: Their classes, `(n,)`.
        generated: Features `(m, d)`.
        classifier: A scikit-learn classifier. None: logistic regression on standardised features.
    """
    features, labels = _checked("real", real, labels)
    return _fit("real", features, labels, classifier).predict(as_features("generated", generated, least=1))


def _checked(name: str, features: np.ndarray, labels: np.ndarray) -> Labelled:
    features = as_features(name, features)
    return features, as_labels(f"The labels of {name}", labels, len(features))


def _fit(name: str, features: np.ndarray, labels: np.ndarray, classifier: Any) -> Any:
    from sklearn.base import clone
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if len(np.unique(labels)) < 2:
        raise InputError(f"A classifier needs samples of at least 2 classes. Received: {name} of 1 class.")
    if classifier is None:
        classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return clone(classifier).fit(features, labels)


def _accuracy(classifier: Any, features: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(classifier.predict(features) == labels))
