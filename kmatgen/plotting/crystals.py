"""Pictures of samples: cells of crystals drawn with their atoms, images as they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from kmatgen.errors import InputError
from kmatgen.metrics.crystal_distributions import element_numbers, element_shares, space_group_shares, space_groups
from kmatgen.metrics.crystal_validity import structurally_valid
from kmatgen.plotting.distributions import distributions_figure
from kmatgen.plotting.figures import saved
from kmatgen.plotting.images import image_grid
from kmatgen.representations.base import are_crystals, keep_crystals
from kmatgen.representations.crystal_table import CrystalTable

# Looking a little from above and from the side, so that atoms behind one another are told apart.
_VIEW = "-80x,12y,3z"
# Crystals in a picture.
MOST_CELLS = 16


def crystal_grid(table: CrystalTable, path: str | Path, columns: int = 4, titles: list[str] | None = None) -> Path:
    """Draw crystals side by side, each with its formula.

    Atoms on faces and edges of a cell are drawn once. Colours and radii are those of Jmol.

    Args:
        table: Crystals; those without a valid lattice stay empty, and so does a picture of none.
        path: File of the picture.
        columns: Crystals in a row.
        titles: Written above each crystal instead of its formula.

    Returns:
        The path.
    """
    rows = max(1, -(-len(table) // columns))
    figure = Figure(figsize=(2.2 * columns, 2.4 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in axes:
        axis.set_axis_off()
    for row in range(len(table)):
        _draw(axes[row], table, row, None if titles is None else titles[row])
    return saved(figure, path)


def crystal_pairs(real: CrystalTable, made: dict[str, np.ndarray], path: str | Path, columns: int = 4) -> Path:
    """Draw real crystals in rows, and below each row what a model made of them.

    Args:
        real: Real crystals.
        made: As many generated ones, in their order, as fields in physical units; what makes no cell stays empty.
        path: File of the picture.
        columns: Crystals in a row; a last row that is not full is left out.
    """
    columns = min(columns, len(real))
    whole = len(real) // columns * columns
    both = CrystalTable.concatenate([real[:whole], CrystalTable.from_fields(made)[:whole]])
    order = np.arange(2 * whole).reshape(2, -1, columns).swapaxes(0, 1).ravel()
    return crystal_grid(both[order], path, columns)


def crystal_distributions(tables: Mapping[str, CrystalTable], path: str | Path, tolerance: float = 0.1) -> Path:
    """Draw density, number of elements, elements and space groups of several tables over each other.

    Args:
        tables: Generated crystals, real ones, baselines, by name. Structurally invalid crystals are left out.
        path: File of the picture.
        tolerance: Of the space groups, Angstrom; see `space_groups`.
    """
    from pymatgen.core import Element

    valid = {name: table[structurally_valid(table)] for name, table in tables.items()}
    elements, groups, numbers = {}, {}, {}
    for name, table in valid.items():
        elements[name] = {Element.from_Z(z).symbol: share for z, share in _shares(element_shares(table)).items()}
        groups[name] = {
            str(g): share for g, share in _shares(space_group_shares(space_groups(table, tolerance))).items()
        }
        counts = element_numbers(table)
        numbers[name] = {str(n): share for n, share in _shares(np.bincount(counts) / max(1, len(counts))).items()}
    panels = {
        "density (g / cm3)": {name: table.density for name, table in valid.items()},
        "number of elements": numbers,
        "element": elements,
        "space group": groups,
    }
    return distributions_figure(panels, path)


def _shares(shares: np.ndarray) -> dict[int, float]:
    return {int(index): float(shares[index]) for index in np.flatnonzero(shares)}


def sample_grid(samples: np.ndarray | dict[str, np.ndarray], path: str | Path) -> Path:
    """Picture samples of any model: images and volumes as they are, crystals, dicts with a lattice, as cells.

    Raises:
        InputError: Samples of another kind.
    """
    if not isinstance(samples, dict):
        return image_grid(samples, path)
    if not are_crystals(samples):
        raise InputError(f"Images and crystals can be pictured. Received: samples with {', '.join(samples)}.")
    return crystal_grid(keep_crystals(samples).table[:MOST_CELLS], path)


def _draw(axis: object, table: CrystalTable, row: int, title: str | None) -> None:
    from ase import Atoms
    from ase.visualize.plot import plot_atoms

    here = table.mask[row]
    if not np.isfinite(table.volume[row]) or not here.any():
        axis.set_title("no cell", fontsize=9)
        return
    atoms = Atoms(
        table.species[row][here], scaled_positions=table.coords[row][here] % 1, cell=table.matrix[row], pbc=True
    )
    plot_atoms(atoms, axis, rotation=_VIEW, radii=0.45, show_unit_cell=2)
    axis.set_axis_off()
    axis.set_title(title or table[[row]].formulas()[0], fontsize=9)
