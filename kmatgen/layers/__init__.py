"""Keras layers that networks are built of."""

from kmatgen.layers.batch_normalization import BatchNormalization
from kmatgen.layers.conditional_batch_normalization import ConditionalBatchNormalization
from kmatgen.layers.group_normalization import GroupNormalization
from kmatgen.layers.layer_normalization import LayerNormalization
from kmatgen.layers.modulated_normalization import ModulatedNormalization
from kmatgen.layers.pair_forces import PairForces
from kmatgen.layers.periodic_differences import PeriodicDifferences
from kmatgen.layers.periodic_neighbours import PeriodicNeighbours
from kmatgen.layers.periodic_padding import PeriodicPadding
from kmatgen.layers.silu import SiLU
from kmatgen.layers.site_attention import SiteAttention
from kmatgen.layers.spectral_normalization import SpectralNormalization, update_spectral_norms
from kmatgen.layers.time_embedding import TimeEmbedding
from kmatgen.layers.trim_sites import RestoreSites, TrimSites
from kmatgen.layers.upsampled_conv import UpsampledConv2D

__all__ = [
    "BatchNormalization",
    "ConditionalBatchNormalization",
    "GroupNormalization",
    "LayerNormalization",
    "ModulatedNormalization",
    "PairForces",
    "PeriodicDifferences",
    "PeriodicNeighbours",
    "PeriodicPadding",
    "RestoreSites",
    "SiLU",
    "SiteAttention",
    "SpectralNormalization",
    "TimeEmbedding",
    "TrimSites",
    "UpsampledConv2D",
    "update_spectral_norms",
]
