"""Generated crystals as files: CIF for each, and a csv table of all."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from tqdm import tqdm

from kmatgen.representations.crystal_table import CrystalTable


def write_crystals(table: CrystalTable, folder: str | Path, scores: pd.DataFrame | None = None) -> Path:
    """Write `cif/crystal_0000.cif`, ... and `crystals.csv`.

    Args:
        table: Valid crystals.
        folder: Where to write.
        scores: Further columns of the csv, a row for each crystal.

    Returns:
        The csv file, which has a column `cif` with the text of each crystal, so that it can be trained on again.
    """
    from pymatgen.io.cif import CifWriter

    folder = Path(folder)
    (folder / "cif").mkdir(parents=True, exist_ok=True)
    width = max(4, len(str(len(table) - 1)))
    texts = []
    for row, structure in enumerate(tqdm(table.structures(), desc="CIF files", disable=len(table) < 500)):
        texts.append(str(CifWriter(structure)))
        (folder / "cif" / f"crystal_{row:0{width}d}.cif").write_text(texts[-1], encoding="utf-8")
    columns = {
        "formula": table.formulas(),
        "space_group": table.space_group,
        "sites": table.n_sites,
        **{name: table.lattice[:, index] for index, name in enumerate(("a", "b", "c", "alpha", "beta", "gamma"))},
        "volume": table.volume,
        "density": table.density,
    }
    frame = pd.DataFrame(columns)
    if scores is not None:
        frame = pd.concat([frame, scores.reset_index(drop=True)], axis=1)
    path = folder / "crystals.csv"
    frame.assign(cif=texts).to_csv(path, index=False)
    return path
