"""Adversarial training: losses of scores, terms added to them, and the round both see."""
