"""All scores of generated crystals by name, in one dictionary: what an evaluation puts beside floor and baselines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kmatgen.errors import InputError
from kmatgen.metrics.bonds import bond_lengths_valid
from kmatgen.metrics.crystal_baselines import resampled, shuffled_species
from kmatgen.metrics.crystal_coverage import coverage
from kmatgen.metrics.crystal_distributions import (
    density_distance,
    element_number_distance,
    element_shares,
    space_group_shares,
    space_groups,
    total_variation,
)
from kmatgen.metrics.crystal_fingerprints import fingerprint_crystals
from kmatgen.metrics.crystal_keys import excess_overlap, key_overlap, lattice_error, role_keys
from kmatgen.metrics.crystal_validity import compositionally_valid, structurally_valid
from kmatgen.metrics.novelty import novel, unique
from kmatgen.representations.crystal_table import CrystalTable


def score_crystals(
    generated: CrystalTable,
    reference: CrystalTable,
    training: CrystalTable | None = None,
    *,
    oxidation_table: str = "smact14",
    samples: int | None = 1000,
    novelty_samples: int = 1000,
    jobs: int = 1,
    cache: str | Path | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """Score generated crystals as the literature does, and beyond.

    Read them beside the same scores of real crystals and of a baseline (`score_rows`): real crystals have distances
    above 0, too, and COV-R is bounded by how many are generated.

    Args:
        generated: Generated crystals, all of them: those that are not valid are counted as such.
        reference: Real crystals that the model has not seen.
        training: Real crystals that it has seen, for overlap, memorisation and novelty.
        oxidation_table: Of the compositional validity; see `compositionally_valid`.
        samples: How many valid crystals the Wasserstein distances are computed from; see `mean_distance`.
        novelty_samples: How many of the generated crystals, the first, are compared with each other and with the
            training data; 0 leaves that out. It is what takes long where all crystals have one formula.
        jobs: Processes for fingerprints and comparisons.
        cache: Folder in which fingerprints are kept.
        seed: Of draws.

    Returns:
        Shares of all generated crystals: `structurally_valid`, `compositionally_valid`, `valid` (both),
        `bond_lengths_valid`. Of those compared: `unique`, and with `training` `novel`; both count valid crystals only.
        Distances of the valid ones from the reference: `density_distance` (g / cm^3), `element_number_distance`
        (Wasserstein-1), `element_distance`, `space_group_distance` (total variation, 0 to 1).
        `cov_recall`, `cov_precision`: COV-R, COV-P.
        By key, unless the reference is all of one (structures of one element): `lattice_error` (Angstrom) and
        `lattice_error_matched`, aMAE and the share of crystals it is measured on; `overlap_reference`, and with
        `training` `overlap_training`, `memorisation`.

    Raises:
        InputError: Nothing generated, or no reference.
    """
    if not len(generated) or not len(reference):
        numbers = f"{len(generated)} generated, {len(reference)} real"
        raise InputError(f"Scores need generated and real crystals, at least one of each. Received: {numbers}.")
    structural = structurally_valid(generated)
    compositional = compositionally_valid(generated, oxidation_table)
    covered = coverage(fingerprint_crystals(generated, jobs, cache), fingerprint_crystals(reference, jobs, cache))
    scores = {
        "structurally_valid": structural.mean(),
        "compositionally_valid": compositional.mean(),
        "valid": (structural & compositional).mean(),
        "bond_lengths_valid": bond_lengths_valid(generated).mean(),
        "cov_recall": covered.recall,
        "cov_precision": covered.precision,
        **_distances(generated[structural & compositional], reference, samples, seed),
        **_by_key(generated, reference, training),
    }
    if novelty_samples:
        first = slice(novelty_samples)
        scores |= _by_comparison(generated[first], (structural & compositional)[first], training, jobs)
    return {name: float(value) for name, value in scores.items()}


def score_rows(
    generated: CrystalTable, reference: CrystalTable, training: CrystalTable, *, seed: int = 0, **options: Any
) -> dict[str, dict[str, float]]:
    """The scores of generated crystals, of real ones and of a strong baseline, as many of each.

    Args:
        generated: Generated crystals.
        reference: Real crystals that the model has not seen.
        training: Real crystals that it has seen; at best the two share no key, see `role_keys` and
            `kmatgen.data.split_table`.
        seed: Of draws.
        **options: Of `score_crystals`.

    Returns:
        `score_crystals` by row: `generated`; `real`, training crystals drawn again, which is the floor of distances
        and the ceiling of coverage; `species shuffled`, see `shuffled_species`.
    """
    rows = {
        "generated": generated,
        "real": resampled(training, len(generated), seed),
        "species shuffled": shuffled_species(training, len(generated), seed),
    }
    return {name: score_crystals(table, reference, training, seed=seed, **options) for name, table in rows.items()}


def _by_comparison(
    generated: CrystalTable, valid: np.ndarray, training: CrystalTable | None, jobs: int
) -> dict[str, float]:
    scores = {"unique": (unique(generated, jobs=jobs) & valid).mean()}
    if training is not None:
        scores["novel"] = (novel(generated, training, jobs=jobs) & valid).mean()
    return scores


def _distances(valid: CrystalTable, reference: CrystalTable, samples: int | None, seed: int) -> dict[str, float]:
    groups = [space_group_shares(space_groups(table)) for table in (valid, reference)]
    return {
        "density_distance": density_distance(valid, reference, samples, seed=seed),
        "element_number_distance": element_number_distance(valid, reference, samples, seed=seed),
        "element_distance": total_variation(element_shares(valid), element_shares(reference)),
        "space_group_distance": total_variation(*groups),
    }


def _by_key(generated: CrystalTable, reference: CrystalTable, training: CrystalTable | None) -> dict[str, float]:
    keys, reference_keys = role_keys(generated), role_keys(reference)
    if len(set(reference_keys)) == 1:
        return {}
    error = lattice_error(generated, reference, keys, reference_keys)
    scores = {
        "lattice_error": error.error,
        "lattice_error_matched": error.matched / len(generated),
        "overlap_reference": key_overlap(keys, reference_keys),
    }
    if training is not None:
        training_keys = role_keys(training)
        scores["overlap_training"] = key_overlap(keys, training_keys)
        scores["memorisation"] = excess_overlap(keys, training_keys, reference_keys)
    return scores
