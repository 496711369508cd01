import numpy as np

from kmatgen.plotting import crystals as pictures
from kmatgen.representations import CrystalTable


def test_distributions_of_tables(tmp_path, monkeypatch):
    lattice = np.tile([4.0, 4, 4, 90, 90, 90], (2, 1))
    lattice[1, 0] = np.nan
    coords = np.tile([[0, 0, 0], [0.5, 0.5, 0.5]], (2, 1, 1))
    table = CrystalTable(lattice, [[55, 17], [11, 17]], coords, np.zeros(2))
    given = {}
    monkeypatch.setattr(pictures, "distributions_figure", lambda panels, path: given.update(panels) or path)
    path = pictures.crystal_distributions({"salt": table}, tmp_path / "salt.png")
    assert path == tmp_path / "salt.png"
    assert given["number of elements"] == {"salt": {"2": 1.0}}
    assert given["element"] == {"salt": {"Cl": 0.5, "Cs": 0.5}}
    assert given["space group"] == {"salt": {"221": 1.0}}
    assert given["density (g / cm3)"]["salt"].shape == (1,)


def test_pairs_stand_below_each_other(tmp_path, monkeypatch):
    n, drawn = 3, []
    coords = np.tile([[0, 0, 0], [0.5, 0.5, 0.5]], (n, 1, 1))
    lattice = np.tile([4.0, 4, 4, 90, 90, 90], (n, 1))
    real = CrystalTable(lattice, [[11, 17], [19, 17], [37, 17]], coords, np.zeros(n))
    made = {"lattice": lattice, "species": real.species + 1, "coords": coords, "mask": np.ones((n, 2))}
    monkeypatch.setattr(pictures, "crystal_grid", lambda table, path, columns: drawn.append((table, columns)))
    pictures.crystal_pairs(real, made, tmp_path / "pairs.png", columns=2)
    pictures.crystal_pairs(real, made, tmp_path / "pairs.png", columns=4)
    assert [columns for _, columns in drawn] == [2, 3]
    assert drawn[0][0].species[:, 0].tolist() == [11, 19, 12, 20]
    assert drawn[1][0].species[:, 0].tolist() == [11, 19, 37, 12, 20, 38]


def test_a_picture_of_no_crystal(tmp_path):
    """Nothing that an untrained model makes need be a cell."""
    fields = {"lattice": np.full((2, 6), np.nan), "species": np.ones((2, 3), int), "coords": np.zeros((2, 3, 3))}
    assert pictures.sample_grid(fields, tmp_path / "none.png").stat().st_size > 0
