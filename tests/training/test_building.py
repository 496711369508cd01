import pytest

import kmatgen as kg
from kmatgen import networks, presets, training


@pytest.mark.parametrize(
    ("preset", "path", "value", "match"),
    [
        (
            "vae",
            "networks.encoder.builder",
            "nonsense",
            r"A builder is one of 'conv_decoder'.*Received: 'nonsense'\.",
        ),
        ("vae", "networks.encoder.builder", "OF_FIELDS", "A builder is one of"),
        ("vae", "networks.encoder.config.filters", ["a"], r"^networks\.encoder makes no model: .*Received: \{.*\}\.$"),
        ("vae", "model.class_name", "nonsense", "A model is one of"),
        ("vae", "model.config", {"nonsense": 1}, r"^model makes no model: .*'nonsense'.*Received: \{"),
        ("vae", "compile.optimizer.class_name", "nonsense", r"An optimiser is one of Keras'.*Received: 'nonsense'\."),
        (
            "vae",
            "compile.optimizer.config",
            {"nonsense": 1},
            r"^compile\.optimizer makes no model: .*nonsense.*Received: \{",
        ),
        ("wgan_gp_64", "compile.g_optimizer", 3, r"An optimiser is one of Keras'.*Received: 3\."),
        ("wgan_gp_64", "compile.loss", "nonsense", r"A loss is one of .*Received: 'nonsense'\."),
        ("wgan_gp_64", "compile.terms", "r1", r"terms is a list of terms or of their names\. Received: 'r1'\."),
        ("wgan_gp_64", "compile.terms", ["nonsense"], r"A term is one of .*Received: 'nonsense'\."),
        ("wgan_gp_64", "compile.terms", [{"class_name": "r1", "config": {"nonsense": 1}}], r"^compile makes no model"),
        ("diffusion_32", "model.config.schedule", "nonsense", r"A noise_schedule is one of .*Received: 'nonsense'\."),
        ("diffusion_32", "networks.denoiser.config.patch", 0, r"patch and channels are positive\. Received: "),
    ],
)
def test_a_wrong_setting_is_named_in_one_sentence(preset, path, value, match):
    with pytest.raises(kg.InputError, match=match) as error:
        training.build_model(presets.resolve(preset, {path: value}), (16, 16, 1))
    assert "\n" not in str(error.value)
    assert str(error.value).count("Received") == 1


@pytest.mark.parametrize("preset", ["vae", "wgan_gp_64", "diffusion_64"])
@pytest.mark.parametrize("sides", [(20, 20), (1, 1), (0, 16)])
def test_a_size_that_no_network_is_built_for(preset, sides):
    with pytest.raises(kg.InputError, match="Received: "):
        training.build_model(presets.resolve(preset), (*sides, 1))


def test_a_lack_of_memory_is_not_blamed_on_a_setting(monkeypatch):
    def hungry(shape, **options):
        raise MemoryError("Unable to allocate 28.6 GiB")

    monkeypatch.setattr(networks, "conv_encoder", hungry)
    with pytest.raises(MemoryError):
        training.build_model(presets.resolve("vae"), (16, 16, 1))
