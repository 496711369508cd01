import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen.data.crystal_augmentation import augmented_crystals
from kmatgen.data.pipeline import batches
from kmatgen.errors import InputError
from kmatgen.representations import CrystalTable, PointCloud
from kmatgen.representations.distances import periodic_distances
from tests.representations.crystals import triclinic

TABLE = triclinic(8, sites=5)


def dataset(table=TABLE):
    fields = {"lattice": table.lattice, "species": table.species, "coords": table.coords, "mask": table.mask}
    return tf.data.Dataset.from_tensor_slices(fields)


def collected(samples):
    rows = list(samples.as_numpy_iterator())
    return tf.nest.map_structure(lambda *values: np.stack(values), *rows)


def as_table(fields):
    return CrystalTable(fields["lattice"], fields["species"], fields["coords"], np.zeros(len(fields["lattice"])))


def fingerprint(table):
    """What neither order nor origin changes: all distances with the elements they join, sorted."""
    distances = np.where(np.isfinite(periodic_distances(table)), periodic_distances(table), 0)
    pairs = np.sort(np.stack([table.species[:, :, None] + 0 * distances, table.species[:, None] + 0 * distances]), 0)
    flat = np.round(np.stack([*pairs, distances], -1).reshape(len(table), -1, 3), 5)
    return np.array([row[np.lexsort(row.T)] for row in flat])


@pytest.mark.parametrize("permute", [True, False])
@pytest.mark.parametrize("shift", [True, False])
def test_crystals_stay_what_they_are(permute, shift):
    changed = as_table(collected(augmented_crystals(dataset(), permute=permute, shift=shift)))
    assert_allclose(fingerprint(changed), fingerprint(TABLE), atol=2e-5)
    assert_array_equal(changed.mask, TABLE.mask)
    assert_array_equal(changed.coords[~changed.mask], 0)
    assert (changed.coords >= 0).all()
    assert (changed.coords < 1).all()
    assert (changed.coords != TABLE.coords).any() == (permute or shift)
    assert (changed.species != TABLE.species).any() == permute


def test_one_vector_moves_all_sites():
    changed = collected(augmented_crystals(dataset(), permute=False))
    shift = np.exp(2j * np.pi * (changed["coords"] - TABLE.coords))
    for row, sites in enumerate(TABLE.n_sites):
        assert_allclose(shift[row, :sites], np.tile(shift[row, 0], (sites, 1)), atol=1e-6)
    assert np.unique(np.round(shift[:, 0], 6), axis=0).shape == (8, 3)  # each crystal has its own


def test_every_pass_differs_and_a_resumed_run_goes_on():
    samples = augmented_crystals(dataset(), seed=3)
    first, second = collected(samples), collected(samples)
    assert (first["coords"] != second["coords"]).any()
    resumed = collected(augmented_crystals(dataset(), seed=3, first_epoch=1))
    assert_array_equal(resumed["coords"], second["coords"])
    assert_array_equal(resumed["species"], second["species"])
    other = collected(augmented_crystals(dataset(), seed=4))
    assert (other["coords"] != first["coords"]).any()


def test_shifts_are_uniform_over_the_cell():
    one = triclinic(1, sites=2)
    table = one[np.zeros(400, int)]
    changed = collected(augmented_crystals(dataset(table), permute=False))
    assert_allclose(changed["coords"][:, 0].mean(axis=0), 0.5, atol=0.06)
    assert_allclose(changed["coords"][:, 0].std(axis=0), 12**-0.5, atol=0.03)


def test_the_scale_of_a_representation():
    """Encoded, augmented and decoded crystals are the same crystals."""
    cloud = PointCloud(whiten="feature", order="position").fit(TABLE)
    arrays = cloud.encode(TABLE)
    fields, mask = {name: arrays[name] for name in cloud.FIELDS}, {"mask": arrays["mask"]}
    samples = tf.data.Dataset.from_tensor_slices((fields, mask))
    changed, same = collected(augmented_crystals(samples, period=cloud.period))
    assert set(changed) == set(cloud.FIELDS)
    assert np.abs(changed["coords"]).max() <= cloud.period.max() / 2 + 1e-6
    decoded = cloud.decode({**changed, **same})
    assert (decoded.refused == "").all()
    assert_allclose(fingerprint(decoded.table), fingerprint(TABLE), atol=2e-4)


def test_batches_take_them():
    samples = augmented_crystals(dataset(), seed=1)
    assert int(samples.cardinality()) == 8
    batch = next(iter(batches(samples, batch_size=4, seed=0)))
    assert {name: tuple(value.shape) for name, value in batch.items()} == {
        "lattice": (4, 6),
        "species": (4, 5),
        "coords": (4, 5, 3),
        "mask": (4, 5),
    }


@pytest.mark.parametrize(
    ("samples", "arguments", "message"),
    [
        (tf.data.Dataset.from_tensor_slices(np.zeros((3, 4))), {}, "have coords of shape"),
        (tf.data.Dataset.from_tensor_slices({"coords": np.zeros((3, 4))}), {}, "have coords of shape"),
        (dataset(), {"period": -1.0}, "length of a cell edge"),
        (dataset(), {"period": np.ones((7, 3))}, "A period is a number or of shape"),
    ],
)
def test_what_the_user_can_mend(samples, arguments, message):
    with pytest.raises(InputError, match=message):
        augmented_crystals(samples, **arguments)
