"""What every term promises, over the table of all of them."""

import inspect

import keras
import pytest

from kmatgen import registry
from kmatgen.adversarial.round import Term
from kmatgen.errors import InputError

# Every term with arguments that differ from its defaults: a new term is a row.
TERMS = {
    "auxiliary_classifier": {"weight": 0.5, "fake": False, "field": "class", "name": "a"},
    "drift": {"weight": 0.5, "name": "b"},
    "feature_matching": {"weight": 0.5, "name": "c"},
    "gradient_penalty": {"weight": 0.5, "target": 2.0, "one_sided": True, "name": "d"},
    "mutual_information": {"weight": 0.5, "categorical": 0, "continuous": 3, "deviation": 0.5, "name": "e"},
    "r1": {"weight": 0.5, "name": "f"},
    "r2": {"weight": 0.5, "name": "g"},
    "target_l1": {"weight": 0.5, "name": "h"},
    "two_point_correlation": {"weight": 0.5, "periodic": False, "channel": 1, "field": "image", "name": "i"},
    "volume_fraction": {
        "weight": 0.5,
        "phase": 1,
        "threshold": 0.4,
        "width": 0.1,
        "column": "fraction",
        "field": "image",
        "name": "j",
    },
    "weight_clipping": {"limit": 0.5, "name": "k"},
}
every_term = pytest.mark.parametrize("name", TERMS)


def test_every_term_has_a_row():
    assert sorted(TERMS) == registry.names("term")


@every_term
def test_config(name):
    cls = registry.get_class("term", name)
    term = cls(**TERMS[name])
    arguments = set(inspect.signature(cls.__init__).parameters) - {"self"}
    assert term.get_config() == TERMS[name]
    assert set(TERMS[name]) == arguments
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(term))
    assert type(again) is cls
    assert again.get_config() == TERMS[name]


@every_term
def test_interface(name):
    term = registry.get("term", name)
    assert isinstance(term, Term)
    assert term.name == name
    assert set(term.requires) <= {"class_logits", "code_logits", "code_mean", "features"}
    assert any(hasattr(term, method) for method in ("d_loss", "g_loss", "after_d_step"))


@pytest.mark.parametrize("name", sorted(set(TERMS) - {"weight_clipping"}))
@pytest.mark.parametrize("weight", [-1.0, float("nan"), "1", True])
def test_weight_is_refused(name, weight):
    with pytest.raises(InputError, match=f"weight to be a finite number of at least 0. Received: weight={weight!r}"):
        registry.get_class("term", name)(weight=weight)


@every_term
def test_empty_name_is_refused(name):
    with pytest.raises(InputError, match="Received: ''"):
        registry.get_class("term", name)(name="")
