import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen.errors import InputError
from kmatgen.representations import CrystalTable, XtalImage
from tests.representations.crystals import largest_coordinate_error, triclinic


def titanate():
    coords = [[[0.02, 0.31, 0.77], [0.48, 0.95, 0.12], [0.66, 0.5, 0.4]]]
    return CrystalTable([[4.2, 5.1, 7.3, 75, 98, 111]], [[22, 8, 56]], coords, [1])


def test_image_is_that_of_xtal2png():
    image = XtalImage().fit(titanate()).encode(titanate())[0, ..., 0] * 255
    # The output of xtal2png 0.9.4 for this crystal.
    expected = [
        [46, 5, 79, 196, 42, 61, 40, 106, 139, 157, 15, 0, 0, 48, 43],
        [15, 122, 242, 31, 42, 61, 40, 106, 139, 157, 15, 0, 48, 0, 41],
        [120, 168, 128, 102, 42, 61, 40, 106, 139, 157, 15, 0, 43, 41, 0],
    ]
    assert_allclose(image[12:15, :15], expected, atol=1e-4)
    assert_array_equal(image, image.T)
    for empty in (image[:12, :12], image[15:]):
        assert_array_equal(empty, 0)


def test_decodes_as_xtal2png():
    representation = XtalImage().fit(titanate())
    table = representation.decode(representation.encode(titanate())).table
    lattice = [4.1905882352941175, 5.109803921568627, 7.333333333333333]
    angles = [74.82352941176471, 98.11764705882352, 110.82352941176471]
    assert_allclose(table.lattice[0], [*lattice, *angles], rtol=1e-6)
    assert_allclose(table.coords[0, 0], [0.0196078431372549, 0.30980392156862746, 0.7686274509803922], rtol=1e-6)
    assert_array_equal(table.species[0, :3], [22, 8, 56])


@pytest.mark.parametrize("limits", ["published", "data"])
def test_errs_by_half_a_step(limits):
    table = triclinic(40)
    representation = XtalImage(limits=limits).fit(table)
    decoded = representation.decode(representation.encode(table)).table
    steps = representation.steps
    for axis, name in enumerate(("a", "b", "c", "alpha", "beta", "gamma")):
        error = np.abs(decoded.lattice[:, axis] - table.lattice[:, axis]).max()
        assert 0.3 * steps[name] < error < 0.5001 * steps[name]
    assert largest_coordinate_error(decoded, table.with_sites(52)) < 0.5001 * steps["x"]
    assert_array_equal(decoded.space_group, table.space_group)


def test_published_steps():
    steps = XtalImage().fit(titanate()).steps
    for name, expected in {"a": 0.052, "c": 0.133, "alpha": 0.706, "x": 0.0039, "distance": 0.0706}.items():
        assert_allclose(steps[name], expected, rtol=0.01)


def test_what_the_user_can_mend():
    large = CrystalTable([[20, 5, 5, 90, 90, 90]], [[22]], [[[0, 0, 0]]], [0])
    with pytest.raises(InputError, match=r"limits='data'.*row 0, whose a is outside 2 to 15.3"):
        XtalImage().fit(large).encode(large)
    wider = XtalImage(limits="data").fit(large)
    assert_allclose(wider.decode(wider.encode(large)).table.lattice, large.lattice, atol=0.01)
    with pytest.raises(InputError, match="limits is"):
        XtalImage(limits="mine")
