"""Metrics: pure functions of arrays, which know no model."""
