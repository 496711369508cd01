import json

import pytest

import kmatgen as kg
from kmatgen import presets, registry, training


@pytest.mark.parametrize("name", presets.PRESETS)
def test_every_preset_builds_and_is_json(name):
    config = json.loads(json.dumps(presets.resolve(name)))
    condition = {"classes": 10} if config["data"]["condition"] == "class" else {"size": 1}
    facts = {"condition": condition, "classes": 10, "threshold": 0.5}
    shape = (32, 32, 1)
    if config["data"]["source"] == "prototypes":
        left = ("decoder", "cell", "fields", "prior", "condition", "properties", "centred_decoder")
        facts |= {"decay_steps": 10, "sampler": "ddim", **dict.fromkeys(left)}
        shape = (64, 64, 4) if name.startswith("crystens") else {"lattice": (1,), "coords": (5,)}
    model = training.build_model(config, shape, facts)
    assert model.compiled
    assert model.name == name
    assert type(model) is registry.get_class("model", config["model"]["class_name"])


def test_the_vae_is_the_published_one():
    assert training.build_model(presets.resolve("vae"), (64, 64, 3)).count_params() == 137_539
    assert {preset for _, preset, _ in presets.STUDIES.values()} == {"vae"}
    compiled = presets.resolve("vae")["compile"]
    assert (compiled["kl_weight"], compiled["kl_reduction"]) == (0.012, "mean")


def test_overrides():
    config = presets.resolve("vae", {"fit.epochs": 5, "compile.kl_weight": 1, "data.channels": 3})
    assert config["fit"]["epochs"] == 5
    assert config["compile"]["kl_weight"] == 1.0
    assert isinstance(config["compile"]["kl_weight"], float)
    assert config["data"]["channels"] == 3
    assert presets.resolve("vae")["fit"]["epochs"] == 30


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("fit.epoch", 5, r"fit has the settings epochs, batch_size, .*Received: 'fit\.epoch'"),
        ("fitt.epochs", 5, r"A setting begins with one of preset, seed, .*fit.*Received: 'fitt\.epochs'"),
        ("networks.encoder.config.filter", 5, r"networks\.encoder\.config has the settings latent_dim, filters"),
        ("fit.batch_size", 0, r"fit\.batch_size is at least 1\. Received: 0\."),
        ("fit.sample_every", 0, r"fit\.sample_every is at least 1\. Received: 0\."),
        ("data.test_fraction", None, r"data\.test_fraction takes a value like 0\.1\. Received: null\."),
        ("fit.epochs", None, r"fit\.epochs takes a value like 30\. Received: null\."),
        ("data.source", None, r"data\.source takes a value like \"polycrystal\"\. Received: null\."),
        ("compile.kl_weight", None, r"compile\.kl_weight takes a value like 0\.012\. Received: null\."),
        ("compile.optimizer.config.learning_rate", -1, r"learning_rate is at least 0\.0\. Received: -1\.0\."),
        ("preset", "nonsense", r"A preset is named, .*Received: preset='nonsense' for vae\."),
        ("fit.epochs", "many", r"fit\.epochs takes a value like 30.*Received: \"many\""),
        ("fit.epochs", 2.5, r"Received: 2\.5"),
        ("fit.epochs.deep", 1, "Received: 'fit.epochs.deep'"),
    ],
)
def test_bad_overrides(path, value, message):
    with pytest.raises(kg.InputError, match=message):
        presets.resolve("vae", {path: value})


@pytest.mark.parametrize(
    ("path", "value"), [("networks.denoiser.config.blocks", 0), ("compile.optimizer.config.weight_decay", -0.1)]
)
def test_names_with_a_least_value(path, value):
    with pytest.raises(kg.InputError, match=rf"{path.rpartition('.')[2]} is at least .*Received: {value}\."):
        presets.resolve("crystal_diffusion", {path: value})


def test_what_may_be_left_out():
    assert (
        presets.resolve("vae", {"data.micrographs.most_patches": None})["data"]["micrographs"]["most_patches"] is None
    )
    config = presets.resolve("diffusion_32", {"compile.optimizer.config.clipnorm": None})
    assert config["compile"]["optimizer"]["config"]["clipnorm"] is None
    config = presets.resolve("wgan_gp_64", {"networks.discriminator.config.normalization": None})
    assert config["networks"]["discriminator"]["config"]["normalization"] is None


def test_what_data_know_is_filled_in():
    facts = {"condition": {"size": 2}, "threshold": 0.4}
    config = {
        "a": {"condition": "data"},
        "terms": [{"config": {"threshold": "data", "weight": 1.0}}],
        "source": "data/",
    }
    filled = presets.filled_in(config, facts)
    assert filled == {"a": {"condition": {"size": 2}}, "terms": [{"config": {"threshold": 0.4, "weight": 1.0}}],
                      "source": "data/"}  # fmt: skip
    assert config["a"]["condition"] == "data"
    assert presets.filled_in({"scale": "data:threshold"}, facts) == {"scale": 0.4}
    with pytest.raises(kg.InputError, match="decoder is taken from the data"):
        presets.filled_in({"scale": "data:decoder"}, facts)
    with pytest.raises(kg.InputError, match=r"classes is taken from the data.*Received: data without a classes"):
        presets.filled_in({"classes": "data"}, facts)
    model = training.build_model(presets.resolve("wgan_gp_fraction"), (16, 16, 1), {**facts, "condition": {"size": 1}})
    assert model.terms[1].threshold == 0.4
    assert model.condition_spec.shape == (None, 1)


def test_what_data_know_can_be_set():
    config = presets.resolve("acgan_32", {"networks.discriminator.config.classes": 4})
    assert config["networks"]["discriminator"]["config"]["classes"] == 4


def test_unknown_preset():
    with pytest.raises(kg.InputError, match=r"A preset is one of .*autoencoder.*Received: 'vea'"):
        presets.resolve("vea")


def test_parse_setting():
    assert presets.parse_setting("compile.kl_weight=0.1") == ("compile.kl_weight", 0.1)
    assert presets.parse_setting("data.source=steel/") == ("data.source", "steel/")
    assert presets.parse_setting('data.micrographs.augment=["flip_x"]') == ("data.micrographs.augment", ["flip_x"])
    assert presets.parse_setting("compile.kl_weight=NaN") == ("compile.kl_weight", "NaN")
    with pytest.raises(kg.InputError, match="Received: 'seed'"):
        presets.parse_setting("seed")


def test_schedules_and_optimisers_from_json():
    schedule = {"class_name": "linear_warmup", "config": {"target": 0.5, "steps": 10}}
    config = presets.resolve("vae")
    config["compile"]["kl_weight"] = schedule
    config["compile"]["optimizer"]["config"]["learning_rate"] = 0.02
    model = training.build_model(config, (16, 16, 1))
    assert model.kl_weight.get_config() == schedule["config"]
    assert float(model.optimizer.learning_rate) == pytest.approx(0.02)
