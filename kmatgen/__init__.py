"""Train, judge and ship generative models of materials, in Keras 3 on TensorFlow.

Names are imported on first use, so that `import kmatgen` costs nothing and `kmatgen --help`
answers before TensorFlow could be loaded.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_SUBMODULES = (
    "anomaly",
    "callbacks",
    "crystals",
    "data",
    "diffusion",
    "distribute",
    "evaluation",
    "export",
    "layers",
    "metrics",
    "networks",
    "optimizers",
    "plotting",
    "presets",
    "representations",
    "schedules",
    "study",
)
_HOMES = {
    "ACGAN": "models.gan_variants",
    "Autoencoder": "models.autoencoder",
    "AuxiliaryClassifier": "adversarial.auxiliary",
    "ConditionalGAN": "models.gan_variants",
    "CrystalTable": "representations",
    "DCGAN": "models.gan_variants",
    "Diffusion": "models.diffusion",
    "Drift": "adversarial.penalties",
    "EBGAN": "models.gan_variants",
    "FeatureMatching": "adversarial.auxiliary",
    "GAN": "models.gan",
    "GenerativeModel": "models.base",
    "GradientPenalty": "adversarial.penalties",
    "InfoGAN": "models.gan_variants",
    "InputError": "errors",
    "LSGAN": "models.gan_variants",
    "MutualInformation": "adversarial.auxiliary",
    "PointCloud": "representations",
    "R1": "adversarial.penalties",
    "R2": "adversarial.penalties",
    "SNGAN": "models.gan_variants",
    "TargetL1": "adversarial.auxiliary",
    "TrainingError": "errors",
    "TwoPointCorrelation": "adversarial.physics",
    "VAE": "models.vae",
    "VolumeFraction": "adversarial.physics",
    "WeightClipping": "adversarial.penalties",
    "WGAN": "models.gan_variants",
    "WGANGP": "models.gan_variants",
    "anomaly_score": "anomaly",
    "evaluate": "evaluation",
    "load_model": "registry",
    "train": "training",
}

__all__ = ["__version__", *_HOMES, *_SUBMODULES]


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return importlib.import_module(f"kmatgen.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(f"kmatgen.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'kmatgen' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
