"""Codecs between tables of crystals and arrays, and the table itself."""

from kmatgen.representations.crystal_table import CrystalTable

__all__ = ["CrystalTable"]
