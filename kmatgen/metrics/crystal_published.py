"""Scores of published generators of crystals, under the names that `score_crystals` uses, for tables of comparison."""

from __future__ import annotations

from typing import NamedTuple

_CDVAE = "Xie et al., ICLR 2022 (arXiv:2110.06197), table 2"
_DIFFCSP = "Jiao et al., NeurIPS 2023 (arXiv:2309.04475), ab initio generation on carbon_24"


class PublishedScores(NamedTuple):
    """One row of a published table.

    Attributes:
        model: What generated the crystals.
        scores: By name as in `score_crystals`: shares in [0, 1], densities in g / cm^3.
        source: Where it was published.
    """

    model: str
    scores: dict[str, float]
    source: str


_PEROV_COLUMNS = (
    "structurally_valid",
    "compositionally_valid",
    "cov_recall",
    "cov_precision",
    "density_distance",
    "element_number_distance",
)
_CARBON_COLUMNS = ("structurally_valid", "cov_recall", "cov_precision", "density_distance")

PUBLISHED: dict[str, tuple[PublishedScores, ...]] = {
    "perov_5": tuple(
        PublishedScores(model, dict(zip(_PEROV_COLUMNS, values, strict=True)), _CDVAE)
        for model, values in (
            ("FTCP", (0.0024, 0.542, 0.0, 0.0, 10.27, 0.630)),
            ("Cond-DFC-VAE", (0.736, 0.830, 0.739, 0.101, 2.268, 0.837)),
            ("P-G-SchNet", (0.796, 0.991, 0.0037, 0.0025, 0.276, 0.455)),
            ("CDVAE", (1.0, 0.986, 0.9945, 0.9846, 0.126, 0.063)),
        )
    ),
    "carbon_24": (
        PublishedScores("CDVAE", dict(zip(_CARBON_COLUMNS, (1.0, 0.998, 0.831, 0.141), strict=True)), _CDVAE),
        PublishedScores("DiffCSP", dict(zip(_CARBON_COLUMNS, (1.0, 0.999, 0.973, 0.081), strict=True)), _DIFFCSP),
    ),
}
"""Rows by name of the data set, oldest first. All were measured on 10,000 generated crystals against the test part."""
