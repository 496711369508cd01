"""Builders of functional `keras.Model`s: networks know no training."""

from kmatgen.networks.conv import conv_decoder, conv_encoder

__all__ = ["conv_decoder", "conv_encoder"]
