import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from pymatgen.core import Lattice, Structure

from kmatgen.data.crystal_files import Entry
from kmatgen.data.crystal_reading import ReadOptions, least_distances, read_entries
from kmatgen.representations import CrystalTable
from tests.data.cifs import cif, plain
from tests.representations.crystals import triclinic


def entries(*texts):
    return [Entry(f"entry {row}", text, "cif", {"row": float(row)}) for row, text in enumerate(texts)]


def test_least_distances_are_pymatgens(monkeypatch):
    monkeypatch.setattr("kmatgen.data.crystal_reading._PAIRS", 100)  # several blocks
    table = triclinic(20)
    table.coords[:, 1] = table.coords[:, 0] + [0.01, 0.0, 0.03]  # near enough for the claim to hold
    for row, structure in enumerate(table.structures()):
        distances = structure.distance_matrix[np.triu_indices(len(structure), 1)]
        assert_allclose(least_distances(table)[row], distances.min(), rtol=1e-9)


def test_a_cell_alone_is_as_far_from_itself_as_its_shortest_vector():
    table = CrystalTable([[0.3, 4, 5, 90, 90, 90]], [[26]], [[[0, 0, 0]]], [0])
    assert_allclose(least_distances(table), [0.3])


def test_properties_and_origins_follow_their_crystals():
    share = read_entries(entries(plain(), "", plain("Fe O", 5.0)), ReadOptions())
    assert_array_equal(share.table.properties["row"], [0, 2])
    assert list(share.table.origin) == ["entry 0", "entry 2"]
    assert [entry.origin for entry in share.refused] == ["entry 1"]
    assert len(share.keys) == 2


def test_nothing_left():
    share = read_entries(entries("", plain(spread=0.01)), ReadOptions())
    assert share.table is None
    assert [entry.reason for entry in share.refused] == ["empty", "overlapping sites"]


def test_angles_that_fit_no_cell():
    impossible = cif(symmetry="", cell=(5, 5, 5, 30, 30, 150))
    negative = cif(symmetry="", cell=(5, -5, 5, 90, 90, 90))
    share = read_entries(entries(impossible, negative), ReadOptions())
    assert [entry.reason for entry in share.refused] == ["zero volume"] * 2


def test_sites_are_counted_in_the_cell_that_is_wanted():
    big = Structure(Lattice.cubic(3.0), ["Po"], [[0, 0, 0]]).make_supercell([3, 2, 1], in_place=False)
    entry = [Entry("big", big, "structure")]
    refused = read_entries(entry, ReadOptions(max_sites=5)).refused
    assert [(entry.reason, entry.detail) for entry in refused] == [("too many sites", "6 sites; at most 5 are taken.")]
    assert_array_equal(read_entries(entry, ReadOptions(max_sites=5, cell="primitive")).table.n_sites, [1])
    rock_salt = entries(cif())
    refused = read_entries(rock_salt, ReadOptions(max_sites=7, cell="conventional")).refused
    assert refused[0].detail == "The conventional cell has more than 7 sites."


def test_declared_space_groups_are_believed_without_symprec():
    texts = entries(cif(), cif(symmetry=""))
    assert_array_equal(read_entries(texts, ReadOptions(symprec=None)).table.space_group, [225, 0])
    assert_array_equal(read_entries(texts, ReadOptions()).table.space_group, [225, 221])


def test_order_and_origin():
    text = cif(("O O1 .6 .5 .5 1", "Sr Sr1 .1 0 0 1"), symmetry="")
    given = read_entries(entries(text), ReadOptions()).table
    assert_array_equal(given.species, [[8, 38]])
    table = read_entries(entries(text), ReadOptions(order="electronegativity", origin="atom")).table
    assert_array_equal(table.species, [[38, 8]])
    assert_allclose(table.coords, [[[0.5, 0.5, 0.5], [0, 0, 0]]], atol=1e-12)
