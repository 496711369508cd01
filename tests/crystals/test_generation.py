from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from kmatgen import presets, training
from kmatgen.crystals.generation import generate_crystals, write_generation
from kmatgen.crystals.parts import crystal_parts
from kmatgen.data.crystal_source import open_crystals
from kmatgen.data.crystals import read_crystals
from kmatgen.errors import InputError
from tests.representations.crystals import perovskites, triclinic


def small_model(crystals):
    """Untrained: what it makes are no good crystals, but crystals."""
    settings = {"networks.denoiser.config.width": 8, "networks.denoiser.config.blocks": 1, "model.config.steps": 2}
    config = presets.resolve("crystal_diffusion", settings)
    shapes = {name: field.shape[1:] for name, field in crystals.fields(crystals.test).items()}
    return training.build_model(config, shapes, {**crystal_parts(crystals), "decay_steps": 10})


def small_vae(crystals):
    config = presets.resolve("crystal_vae", {f"networks.{role}.config.width": 8 for role in ("encoder", "decoder")})
    shapes = {name: field.shape[1:] for name, field in crystals.fields(crystals.test).items()}
    return training.build_model(config, shapes, {**crystal_parts(crystals), "decay_steps": 10})


@pytest.fixture(scope="module")
def roles():
    table = replace(perovskites(60), properties={"gap": np.linspace(0, 3, 60)})
    crystals = open_crystals(table.structures(), conditions=["gap"], test_fraction=0.2)
    return crystals, small_model(crystals)


@pytest.fixture(scope="module")
def sets():
    crystals = open_crystals(triclinic(40).structures(), test_fraction=0.2)
    return crystals, small_model(crystals)


def test_roles_keep_what_is_constant(roles):
    crystals, model = roles
    made = generate_crystals(model, crystals, 12, seed=1, request={"gap": 1.5}, symprec=1e-4)
    assert_array_equal(made.drawn.n_sites, 5)
    assert_array_equal(made.drawn.lattice[:, 3:], 90)
    assert len(made.table) == (made.refused == "").sum()
    again = generate_crystals(model, crystals, 12, seed=1, request={"gap": 1.5}, symprec=1e-4)
    assert_array_equal(again.drawn.lattice, made.drawn.lattice)


def test_sets_have_sizes_of_training_crystals(sets):
    crystals, model = sets
    made = generate_crystals(model, crystals, 20, seed=1)
    assert set(made.drawn.n_sites) <= set(crystals.train.n_sites)
    assert_array_equal(np.sort(made.drawn.n_sites), made.drawn.n_sites)


class TestAGivenCrystal:
    """In Angstrom, and with the sites in the order in which the user has them."""

    def test_of_roles(self, roles):
        crystals, model = roles
        given = crystals.test.structures()[0]
        made = generate_crystals(model, crystals, 3, request={"gap": 1}, fixed=given, hold={"lattice": True}).drawn
        assert_allclose(made.lattice, np.tile(crystals.test.lattice[0], (3, 1)), rtol=1e-5)
        first = given.species[0].Z
        made = generate_crystals(model, crystals, 3, request={"gap": 1}, fixed=given, hold={"species": [0]}).drawn
        assert (made.species == first).any(axis=1).all()

    def test_of_sets(self, sets):
        crystals, model = sets
        given = next(structure for structure in crystals.test.structures() if len(structure) > 2)
        hold = {"lattice": True, "species": True, "coords": [1]}
        made = generate_crystals(model, crystals, 3, fixed=given, hold=hold).drawn
        assert_array_equal(made.n_sites, len(given))
        assert_allclose(made.lattice, np.tile(given.lattice.parameters, (3, 1)), rtol=1e-4)
        assert_array_equal(
            np.sort(made.species, axis=1)[:, -len(given) :], np.tile(sorted(given.atomic_numbers), (3, 1))
        )
        away = made.coords - given.frac_coords[1]
        there = (np.abs(away - np.round(away)).max(axis=2) < 1e-4) & (made.species == given.species[1].Z)
        assert_array_equal(there.sum(axis=1), 1)

    def test_stays_where_it_is_in_the_symmetry_that_was_found(self, roles):
        """At a tolerance at which every crystal of five sites has some."""
        crystals, model = roles
        given = crystals.test.structures()[0]
        hold = {"lattice": True, "species": True, "coords": [0, 1]}
        made = generate_crystals(model, crystals, 8, request={"gap": 1}, symprec=0.3, fixed=given, hold=hold)
        assert len(made.table) > 0
        assert_allclose(made.table.lattice, np.tile(crystals.test.lattice[0], (len(made.table), 1)), atol=2e-3)
        for place, element in zip(given.frac_coords[:2], given.atomic_numbers[:2], strict=True):
            away = made.table.coords - place
            there = (np.abs(away - np.round(away)).max(axis=2) < 1e-3) & (made.table.species == element)
            assert there.any(axis=1).all()

    @pytest.mark.parametrize("of", ["roles", "sets"])
    def test_near(self, of, request):
        crystals, model = request.getfixturevalue(of)
        given = crystals.test[0]
        asked = {"gap": 1} if of == "roles" else {}
        made = generate_crystals(model, crystals, 3, request=asked, near=given.structures()[0], strength=1e-3).drawn
        assert_allclose(made.lattice, np.tile(given.lattice, (3, 1)), rtol=0.05)

    @pytest.mark.parametrize(
        ("options", "match"),
        [
            ({"hold": None}, "one without the other"),
            ({"hold": {"colour": True}}, "Received: colour=True"),
            ({"hold": {"species": [5]}}, r"from 0 to 4.*Received: species=\[5\]"),
            ({"hold": {"lattice": [0]}}, r"Received: lattice=\[0\]"),
        ],
    )
    def test_refuses_to_hold(self, roles, options, match):
        crystals, model = roles
        given = crystals.test.structures()[0]
        with pytest.raises(InputError, match=match):
            generate_crystals(model, crystals, 2, request={"gap": 1}, fixed=given, **options)

    def test_refuses_what_training_crystals_never_have(self, roles, sets):
        crystals, model = roles
        given = crystals.test.structures()[0]
        given.lattice = given.lattice.from_parameters(4, 4, 5, 90, 90, 90)
        with pytest.raises(InputError, match="leave lattice free"):
            generate_crystals(model, crystals, 2, request={"gap": 1}, near=given)
        with pytest.raises(InputError, match=r"of these data have 5 sites\. Received: one of 10"):
            generate_crystals(model, crystals, 2, request={"gap": 1}, near=given * (2, 1, 1))
        with pytest.raises(InputError, match="atomic number"):
            generate_crystals(sets[1], sets[0], 2, near=given)
        with pytest.raises(InputError, match="Received: a VAE"):
            generate_crystals(small_vae(sets[0]), sets[0], 2, near=given)


def test_everything_is_written(roles, tmp_path):
    crystals, model = roles
    made = generate_crystals(model, crystals, 6, seed=0)
    rows = write_generation(made, crystals, tmp_path, published="perov_5", novelty_samples=0, samples=None)
    assert set(rows) == {"generated", "real", "species shuffled"}
    scores = pd.read_csv(tmp_path / "scores.csv", index_col=0)
    assert scores.loc["CDVAE (published)", "cov_precision"] == 0.9846
    # What was written can be trained on again.
    again = read_crystals(tmp_path / "crystals.csv", duplicates=True)
    assert len(again) + len(again.report) == len(made.table)
    assert len(list((tmp_path / "cif").glob("*.cif"))) == len(made.table)
    page = (tmp_path / "crystals.html").read_text()
    assert "species shuffled" in page
    assert page.count("data:image/png;base64") == 3


def test_a_vae_is_asked_for_what_it_predicts():
    table = replace(perovskites(40), properties={"gap": np.linspace(0, 3, 40)})
    crystals = open_crystals(table.structures(), properties=["gap"], test_fraction=0.2)
    model = small_vae(crystals)
    made = generate_crystals(model, crystals, 6, seed=1, request={"gap": 1.5})
    again = model.generate(6, seed=1, properties={"gap": 1.5}, near=crystals.fields(crystals.train))
    assert_array_equal(made.drawn.species, again["species"])
    assert_array_equal(made.drawn.lattice[:, 3:], 90)


def test_a_vae_of_sets(sets):
    crystals, _ = sets
    model = small_vae(crystals)
    made = generate_crystals(model, crystals, 8, seed=1)
    assert set(made.drawn.n_sites) <= set(crystals.train.n_sites)
    fields, condition = crystals.with_conditions(crystals.test)
    again = model.reconstruct(fields, condition)
    assert_array_equal(again["mask"], condition["mask"])


NARROW = {f"networks.{role}.config.width": 0.02 for role in ("generator", "discriminator")}


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("diffusion", {"networks.denoiser.config.filters": [16], "model.config.steps": 2}),
        ("wgan_gp", NARROW),
        ("gan", NARROW),
    ],
)
def test_tensors_are_decoded(family, settings):
    codec = {"class_name": "crystens", "config": {"sites": 36, "limits": None}}
    crystals = open_crystals(perovskites(12).structures(), representation=codec, test_fraction=0.2)
    config = presets.resolve(f"crystens_{family}", settings)
    model = training.build_model(config, (48, 48, 4), crystal_parts(crystals))
    made = generate_crystals(model, crystals, 4, seed=1)
    assert made.drawn.coords.shape == (4, 36, 3)
    # Whatever is in the tensors, cells have the size that real ones have.
    low, high = (np.array(crystals.representation.ranges[name])[4:7] for name in ("low", "high"))
    assert ((made.drawn.lattice[:, :3] >= low - 1e-3) & (made.drawn.lattice[:, :3] <= high + 1e-3)).all()
    again = model.generate(4, seed=1)
    assert_array_equal(made.drawn.lattice, again["lattice"])
