import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen.errors import InputError
from kmatgen.representations import CrystalTable, CrysTens
from kmatgen.representations.crystens import PUBLISHED_SCALES, proposed_positions, published_limits
from tests.representations.crystals import triclinic


def salt():
    """CsCl with its space group."""
    return CrystalTable([[4.1, 4.1, 4.1, 90, 90, 90]], [[55, 17]], [[[0, 0, 0], [0.5, 0.5, 0.5]]], [221])


def test_layout_by_hand():
    tensor = CrysTens().fit(salt()).encode(salt())[0]
    assert tensor.shape == (64, 64, 4)
    scales = PUBLISHED_SCALES

    def scaled(name, value):
        mean, std, below, above = scales[name]
        return ((value - mean) / std + below) / (below + above)

    first = {"atom": 55, "x": 0, "y": 0, "z": 0, "a": 4.1, "b": 4.1, "c": 4.1}
    first |= {"alpha": 90, "beta": 90, "gamma": 90, "space_group": 221}
    expected = [scaled(name, value) for name, value in first.items()]
    for channel in range(4):
        assert_allclose(tensor[:11, 12, channel], expected, atol=1e-6)
        assert_allclose(tensor[12, :11, channel], expected, atol=1e-6)
    assert_allclose(tensor[12, 13, 0], scaled("length", np.sqrt(0.75)), rtol=1e-6)
    assert_allclose(tensor[12, 13, 1:], [scaled("direction", -0.5)] * 3, rtol=1e-5)
    assert_allclose(tensor[13, 12, 1:], [scaled("direction", 0.5)] * 3, rtol=1e-6)
    for empty in (tensor[:12, :12], tensor[11], tensor[:, 11], tensor[14:], tensor[:, 14:], tensor[[12, 13], [12, 13]]):
        assert_array_equal(empty, 0)


def test_published_scales_are_ranges():
    low, high = published_limits()
    # Atomic numbers 1 to 99, fractional coordinates from 0, space groups 1 to 230, differences -1 to 1.
    assert_allclose([low[0], high[0]], [1, 99], atol=1e-5)
    assert_allclose(low[1:4], 0, atol=1e-6)
    assert_allclose([low[10], high[10]], [1, 230], atol=1e-5)
    assert_allclose([low[11], high[11]], [-1, 1], atol=1e-5)
    assert_allclose([low[7], high[7]], [59.8, 120], atol=0.1)


def test_limits_that_hold_the_training_crystals():
    assert CrysTens(36, limits=None).fit(triclinic(5)).limits == "published"
    wide = triclinic(5)
    wide.lattice[0, 0] = 60.0
    codec = CrysTens(36, limits=None).fit(wide)
    assert codec.limits == "data"
    tensors = codec.encode(wide)
    assert tensors.min() >= -1e-5
    assert tensors.max() <= 1 + 1e-5


def test_every_copy_counts():
    table = triclinic(6)
    representation = CrysTens().fit(table)
    arrays = representation.encode(table)
    low, high = published_limits()
    arrays[:, 12, 4, 2] += 8 * table.n_sites / (high[4] - low[4])  # one of 8 n copies of a off by 8 n
    decoded = representation.decode(arrays).table
    assert_allclose(decoded.lattice[:, 0], table.lattice[:, 0] + 1, rtol=1e-5)
    assert_allclose(decoded.lattice[:, 1:], table.lattice[:, 1:], rtol=1e-5)


def test_positions_are_the_published_mean(rng):
    n, sites = 3, 4
    coords, differences = rng.random((n, sites, 3)), rng.random((n, sites, sites, 3))
    n_sites = np.array([4, 2, 3])
    found = proposed_positions(coords, differences, n_sites)
    for crystal, count in enumerate(n_sites):
        share = 1 - 1 / (12 + count)
        for j in range(count):
            proposals = [
                coords[crystal, i] - (differences[crystal, i, j] - differences[crystal, j, i]) / 2 for i in range(count)
            ]
            expected = (1 - share) * coords[crystal, j] + share * np.mean(proposals, axis=0)
            assert_allclose(found[crystal, j], expected, rtol=1e-12)


def test_copies_of_a_real_crystal_agree():
    table = triclinic(6)
    representation = CrysTens().fit(table)
    copies = representation.copies(representation.encode(table))
    here = table.mask
    assert_array_equal(copies.n_sites, table.n_sites)
    assert_allclose(copies.rows[:, : here.shape[1]][here].std(axis=-1), 0, atol=1e-5)
    assert_allclose(copies.rows[:, 0, 4:10, 0], table.lattice, rtol=1e-5)
    assert_allclose(copies.differences[:, 0, 1], table.coords[:, 0] - table.coords[:, 1], atol=1e-6)
    assert_allclose(copies.lengths[:, 1, 0], np.linalg.norm(table.coords[:, 0] - table.coords[:, 1], axis=1), atol=1e-6)


def test_published_count_misses_acute_cells():
    table = CrystalTable(
        [[4, 4, 4, 90, 90, 90], [4, 4, 4, 65, 65, 65]], [[3, 9]] * 2, [[[0, 0, 0], [0.5, 0.5, 0.5]]] * 2, [225, 166]
    )
    published, nearest = (CrysTens(count=count).fit(table) for count in ("published", "nearest"))
    arrays = nearest.encode(table)
    assert_array_equal(published.copies(arrays).n_sites, [2, 52])
    assert_array_equal(nearest.copies(arrays).n_sites, [2, 2])


def test_a_noisy_tensor_keeps_its_sites(rng):
    table = triclinic(20)
    representation = CrysTens(limits="data").fit(table)
    arrays = representation.encode(table)
    noisy = arrays + rng.normal(0, 0.05, arrays.shape)
    assert_array_equal(representation.copies(noisy).n_sites, table.n_sites)


def test_parsimony_merges_only_what_is_more():
    table = triclinic(8)
    plain = CrysTens().fit(table)
    arrays = plain.encode(table)
    many = CrysTens(atom_clusters=6, coordinate_clusters=18).fit(table)
    assert_array_equal(many.decode(arrays).table.species, plain.decode(arrays).table.species)
    assert_allclose(many.decode(arrays).table.coords, plain.decode(arrays).table.coords)
    few = CrysTens(atom_clusters=1, coordinate_clusters=2).fit(table).decode(arrays).table
    for species, coords, mask in zip(few.species, few.coords, few.mask, strict=True):
        assert len(np.unique(species[mask])) == 1
        assert len(np.unique(coords[mask])) <= 2


def test_repeated_sites_are_dropped():
    table = CrystalTable(
        [[4, 4, 4, 90, 90, 90]], [[3, 9, 3, 9]], [[[0, 0, 0], [0.5, 0.5, 0.5], [0, 0, 0], [0, 0.5, 0.5]]], [1]
    )
    representation = CrysTens().fit(table)
    assert_array_equal(representation.decode(representation.encode(table)).table.species[0, :4], [3, 9, 9, 0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limits": "mine"}, "limits is"),
        ({"count": "all"}, "count is"),
        ({"count": "published", "limits": "data"}, "limits='published'"),
        ({"atom_clusters": -1}, "at least 1"),
    ],
)
def test_what_the_user_can_mend(options, message):
    with pytest.raises(InputError, match=message):
        CrysTens(**options)
