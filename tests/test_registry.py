import subprocess
import sys

import pytest

import kmatgen as kg
from kmatgen import registry


@pytest.mark.parametrize(
    ("name", "expected"),
    [("VAE", "vae"), ("LinearWarmup", "linear_warmup"), ("WGANGP", "wgangp"), ("TargetL1", "target_l1"), ("R1", "r1")],
)
def test_snake_case(name, expected):
    assert registry.snake_case(name) == expected


def test_get_by_dict_and_by_object():
    by_name = registry.get("schedule", {"class_name": "linear_warmup", "config": {"target": 1.0, "steps": 2}})
    by_class = registry.get("schedule", {"class_name": "LinearWarmup", "config": {"target": 1.0, "steps": 2}})
    assert by_name.get_config() == by_class.get_config() == {"target": 1.0, "steps": 2}
    assert registry.get("schedule", by_name) is by_name


def test_unknown_name_lists_the_known():
    with pytest.raises(kg.InputError, match=r"A model is one of .*autoencoder.*vae.*Received: 'gaan'"):
        registry.get_class("model", "gaan")


def test_a_class_name_is_taken_once():
    """In a file, Keras would take one class for the other."""
    with pytest.raises(ValueError, match=r"Received: VAE of tests\.test_registry, which is in kmatgen\.models\.vae"):
        registry.register("loss")(type("VAE", (), {"__module__": __name__}))
    assert "vae" not in registry.names("loss")


def test_wrong_type():
    with pytest.raises(kg.InputError, match="Received: 3"):
        registry.get("schedule", 3)


def test_load_model_names_a_missing_file(tmp_path):
    with pytest.raises(kg.InputError, match="Received: .*gone.keras"):
        kg.load_model(tmp_path / "gone.keras")


def test_import_is_light():
    code = "import sys, kmatgen, kmatgen.cli; print(sorted({'tensorflow', 'keras', 'optuna'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_every_public_name_is_there():
    for name in kg.__all__:
        assert getattr(kg, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        _ = kg.nothing


def test_load_model_names_a_damaged_file(tmp_path):
    """As a crash leaves it."""
    (tmp_path / "half.keras").write_bytes(b"PK\x03\x04half")
    with pytest.raises(kg.InputError, match=r"half\.keras, which is damaged or of another kind"):
        kg.load_model(tmp_path / "half.keras")
