"""All scores of generated crystals by name, in one dictionary: what an evaluation puts beside floor and baselines."""

from __future__ import annotations

import numpy as np

from kmatgen.metrics.crystal_coverage import Fingerprints, coverage
from kmatgen.metrics.crystal_distributions import (
    density_distance,
    element_number_distance,
    element_shares,
    total_variation,
)
from kmatgen.metrics.crystal_keys import excess_overlap, key_overlap, lattice_error, role_keys
from kmatgen.metrics.crystal_validity import compositionally_valid, structurally_valid
from kmatgen.representations.crystal_table import CrystalTable


def score_crystals(
    generated: CrystalTable,
    reference: CrystalTable,
    training: CrystalTable | None = None,
    fingerprints: tuple[Fingerprints, Fingerprints] | None = None,
    oxidation_table: str = "smact14",
    samples: int | None = 1000,
    seed: int = 0,
) -> dict[str, float]:
    """Score generated crystals as the literature does, and beyond.

    Args:
        generated: Generated crystals, all of them: those that are not valid are counted as such.
        reference: Real crystals that the model has not seen.
        training: Real crystals that it has seen, for overlap and memorisation.
        fingerprints: Of `generated` and of `reference`, for coverage.
        oxidation_table: Of the compositional validity; see `compositionally_valid`.
        samples: How many valid crystals the Wasserstein distances are computed from; see `mean_distance`.
        seed: Of draws.

    Returns:
        `structurally_valid`, `compositionally_valid`, `valid`: shares of all generated crystals.
        `density_distance` (g / cm^3), `element_number_distance`: Wasserstein-1, valid against reference.
        `element_distance`: total variation of the shares of elements, valid against reference.
        `lattice_error` (Angstrom), `lattice_error_matched`: aMAE and the share of crystals it is measured on.
        `overlap_reference`, and with `training` `overlap_training`, `memorisation`: by key.
        `cov_recall`, `cov_precision`: with fingerprints.
    """
    structural = structurally_valid(generated)
    compositional = compositionally_valid(generated, oxidation_table)
    valid = generated[structural & compositional]
    keys, reference_keys = role_keys(generated), role_keys(reference)
    error = lattice_error(generated, reference, keys, reference_keys)
    scores = {
        "structurally_valid": structural.mean(),
        "compositionally_valid": compositional.mean(),
        "valid": (structural & compositional).mean(),
        "density_distance": density_distance(valid, reference, samples, seed=seed),
        "element_number_distance": element_number_distance(valid, reference, samples, seed=seed),
        "element_distance": total_variation(element_shares(valid), element_shares(reference)),
        "lattice_error": error.error,
        "lattice_error_matched": error.matched / len(generated),
        "overlap_reference": key_overlap(keys, reference_keys),
    }
    if training is not None:
        training_keys = role_keys(training)
        scores["overlap_training"] = key_overlap(keys, training_keys)
        scores["memorisation"] = excess_overlap(keys, training_keys, reference_keys)
    if fingerprints is not None:
        covered = coverage(*fingerprints)
        scores |= {"cov_recall": covered.recall, "cov_precision": covered.precision}
    return {name: float(np.float64(value)) for name, value in scores.items()}
