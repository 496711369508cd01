import pytest

from kmatgen import presets, training
from kmatgen.errors import InputError
from kmatgen.study.grid import grid, parse_factors
from tests.study.grids import TWO


def test_grid_has_every_combination_for_the_first_seed_first():
    factors = {**TWO, "kl": {"weak": {"compile.kl_weight": 0.1}, "strong": {"compile.kl_weight": 1}}}
    members = grid("vae", factors, {"fit.epochs": 2}, seeds=2)
    assert [member.name for member in members[:5]] == [
        "latent_dim=2,kl=weak,seed=0",
        "latent_dim=2,kl=strong,seed=0",
        "latent_dim=4,kl=weak,seed=0",
        "latent_dim=4,kl=strong,seed=0",
        "latent_dim=2,kl=weak,seed=1",
    ]
    assert len(members) == 8
    config = members[7].config
    assert (config["seed"], config["fit"]["epochs"], config["compile"]["kl_weight"]) == (1, 2, 1.0)
    assert [part["config"]["latent_dim"] for part in config["networks"].values()] == [4, 4]


@pytest.mark.parametrize(
    ("factors", "settings", "seeds", "message"),
    [
        ({}, {}, 1, "at least one factor"),
        (TWO, {}, 0, "at least 1 seed"),
        (TWO, {"seed": 3}, 1, "counts its seeds"),
        ({"start": {"a": {"seed": 3}}}, {}, 1, "counts its seeds"),
        (TWO, {"networks.encoder.config.latent_dim": 3}, 1, "is set by the settings of all members"),
        ({**TWO, "again": {"a": TWO["latent_dim"]["2"]}}, {}, 1, "is set by the factor latent_dim"),
        ({"no": {"a": {"compile.nonsense": 1}}}, {}, 1, "compile has the settings"),
        ({"data": {"a/b": {"data.source": "a/b"}, "a:b": {"data.source": "a:b"}}}, {}, 1, "must still differ"),
    ],
)
def test_grid_refuses(factors, settings, seeds, message):
    with pytest.raises(InputError, match=rf"{message}.*Received: "):
        grid("vae", factors, settings, seeds)


def test_parse_factors():
    assert parse_factors(["compile.kl_weight=0.001,1e-2", "compile.reconstruction=mse,bce"]) == {
        "kl_weight": {"0.001": {"compile.kl_weight": 0.001}, "0.01": {"compile.kl_weight": 0.01}},
        "reconstruction": {"mse": {"compile.reconstruction": "mse"}, "bce": {"compile.reconstruction": "bce"}},
    }
    assert parse_factors(["a.n+b.n=2,3", "c.n=[1,2],[3]"]) == {
        "n": {"2": {"a.n": 2, "b.n": 2}, "3": {"a.n": 3, "b.n": 3}},
        "c.n": {"1-2": {"c.n": [1, 2]}, "3": {"c.n": [3]}},
    }
    for text in ("compile.kl_weight", "compile.kl_weight=", "=1,2", "compile.kl_weight=1,1"):
        with pytest.raises(InputError, match="Received: "):
            parse_factors([text])


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("latent", [98_087, 103_723, 114_995, 137_539, 182_627]), ("layers", [244_931, 132_675, 137_539])],
)
def test_named_studies_have_the_published_parameters(name, parameters):
    _, preset, factors = presets.STUDIES[name]
    models = [training.build_model(member.config, (64, 64, 3)) for member in grid(preset, factors, seeds=1)]
    assert [model.count_params() for model in models] == parameters
