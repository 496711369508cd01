"""Keras layers that networks are built of."""

from kmatgen.layers.batch_normalization import BatchNormalization
from kmatgen.layers.conditional_batch_normalization import ConditionalBatchNormalization
from kmatgen.layers.layer_normalization import LayerNormalization
from kmatgen.layers.periodic_padding import PeriodicPadding
from kmatgen.layers.spectral_normalization import SpectralNormalization, update_spectral_norms

__all__ = [
    "BatchNormalization",
    "ConditionalBatchNormalization",
    "LayerNormalization",
    "PeriodicPadding",
    "SpectralNormalization",
    "update_spectral_norms",
]
