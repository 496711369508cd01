import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg
from kmatgen.export import ServedModel
from tests.tiny_models import SHAPE, field_data, field_denoiser, field_diffusion


def denoiser(classes=None, bias=0.0):
    """Predicts the value for every pixel, whatever it is given."""
    sample, time = keras.Input(SHAPE, name="sample"), keras.Input((), name="time")
    inputs = {"sample": sample, "time": time}
    flat = keras.layers.Rescaling(0.0, bias, dtype="float32")(sample)
    if classes is not None:
        inputs |= {
            "condition": keras.Input((), name="condition", dtype="int32"),
            "known": keras.Input((), name="known"),
        }
        shift = keras.layers.Embedding(classes, 1, embeddings_initializer="ones", name="of_class")(inputs["condition"])
        shift = keras.layers.Multiply()([shift, keras.layers.Reshape((1,))(inputs["known"])])
        flat = keras.layers.Add()([flat, keras.layers.Reshape((1, 1, 1))(shift)])
    return keras.Model(inputs, flat)


def exact(**options):
    return kg.Diffusion(denoiser(bias=0.5), target="sample", steps=4, seed=0, **options)


def test_the_loss_is_the_mean_squared_error_of_the_target():
    model = exact()
    model.compile()
    data = np.full((4, *SHAPE), 0.2, np.float32)
    assert_allclose(model.evaluate(data, verbose=0), 0.3**2, rtol=1e-5)


def test_the_loss_of_noise_is_its_variance():
    model = kg.Diffusion(denoiser(), target="noise", seed=0)
    model.compile()
    assert_allclose(model.evaluate(np.zeros((32, *SHAPE), np.float32), verbose=0), 1.0, rtol=0.05)


def test_weights_of_fields():
    model = field_diffusion()
    model.compile(loss_weights={"lattice": 3.0})
    logs = model.evaluate(*field_data(16), verbose=0, return_dict=True)
    assert_allclose(logs["loss"], logs["coords_loss"] + 3 * logs["lattice_loss"], rtol=1e-5)


@pytest.mark.parametrize("sampler", ["ddim", "ancestral"])
def test_a_sample_is_what_the_denoiser_says(sampler):
    assert_allclose(exact().generate(3, seed=1, sampler=sampler), np.full((3, *SHAPE), 0.5), atol=1e-6)


def test_data_units():
    networks = {"encoder": kg.networks.image_encoder(SHAPE), "decoder": kg.networks.image_decoder(SHAPE)}
    model = exact(**networks)
    model.compile()
    assert_allclose(model.evaluate(np.full((4, *SHAPE), 0.75, np.float32), verbose=0), 0.0, atol=1e-10)
    assert_allclose(model.generate(2, seed=0), np.full((2, *SHAPE), 0.75), atol=1e-6)


@pytest.mark.parametrize("sampler", ["ddim", "ancestral"])
def test_samples_do_not_depend_on_the_batch_size(sampler):
    model = field_diffusion()
    one, other = (model.generate(7, seed=3, sampler=sampler, batch_size=size) for size in (7, 3))
    for name in one:
        assert_allclose(one[name], other[name], atol=1e-5)
        assert np.abs(one[name] - model.generate(7, seed=4, sampler=sampler)[name]).max() > 1e-3


def test_periodic_fields_stay_in_their_period():
    coords = field_diffusion().generate(20, seed=0)["coords"]
    assert coords.min() >= 0
    assert coords.max() <= 1


def test_guidance_moves_on_from_no_condition():
    model = kg.Diffusion(denoiser(classes=4), target="sample", steps=2, seed=0)
    for weight, expected in ((1.0, 1.0), (3.0, 3.0), (0.0, 0.0)):
        assert_allclose(model.generate(2, 1, seed=0, guidance=weight), np.full((2, *SHAPE), expected), atol=1e-6)


def test_what_is_fixed_stays():
    fixed = np.full(SHAPE, np.nan, np.float32)
    fixed[:8] = 0.1
    samples = exact().generate(3, seed=0, fixed=fixed)
    assert_allclose(samples[:, :8], np.full((3, 8, 16, 1), 0.1), atol=1e-6)
    assert_allclose(samples[:, 8:], np.full((3, 8, 16, 1), 0.5), atol=1e-6)


def test_a_fixed_field():
    model = field_diffusion()
    cell = np.array([0.2, 0.4], np.float32)
    samples = model.generate(3, seed=0, fixed={"lattice": cell})
    assert_allclose(samples["lattice"], np.tile(cell, (3, 1)), atol=1e-6)
    assert np.abs(samples["coords"] - model.generate(3, seed=0)["coords"]).max() > 0


def test_near_a_sample():
    sample = {name: values[0] for name, values in field_data(1)[0].items()}
    model = field_diffusion()
    little, much = (model.generate(20, seed=0, near=sample, strength=strength) for strength in (0.02, 1.0))
    assert np.abs(little["lattice"] - sample["lattice"]).max() < 0.2
    assert_allclose(much["lattice"], model.generate(20, seed=0)["lattice"], atol=1e-5)


class TestPrior:
    def test_what_is_given_overrides_what_is_drawn(self):
        model = field_diffusion()
        kept = {tuple(row) for row in np.asarray(model.prior.kept["mask"])}
        drawn = model.check_condition(None, 50, 1)
        assert {tuple(row) for row in drawn["mask"].numpy()} <= kept
        partly = model.check_condition({"property": np.ones(1)}, 50, 1)
        assert_array_equal(partly["mask"], drawn["mask"])
        assert_array_equal(partly["property"], np.ones((50, 1)))

    def test_it_is_saved_and_exported(self, tmp_path):
        model = field_diffusion()
        model.save(tmp_path / "model.keras")
        loaded = kg.load_model(tmp_path / "model.keras")
        expected = model.generate(4, seed=2)
        for name, values in loaded.generate(4, seed=2).items():
            assert_array_equal(values, expected[name])
        asked = field_data(4)[1]
        expected = model.generate(4, asked, seed=2, steps=5)
        model.export(tmp_path / "export")
        served = ServedModel(tmp_path / "export")
        found = served.loaded.signatures["sample_for"](n=np.int32(4), seed=np.int32(2), steps=np.int32(5), **{
            name: np.asarray(values, np.float32) for name, values in asked.items()
        })  # fmt: skip
        assert_allclose(found["coords"], expected["coords"], atol=1e-5)
        assert served.steps == 3
        fewer = model.generate(3, seed=1, steps=2)
        for name, values in served.generate(3, seed=1, steps=2).items():
            assert_allclose(values, fewer[name], atol=1e-5)

    def test_unknown_entries(self):
        with pytest.raises(kg.InputError, match=r"mask, property may be left out\. Received: colour"):
            field_diffusion().generate(2, {"colour": 1})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "Received: n=0"),
        ({"steps": 0}, "Received: 0"),
        ({"sampler": "heun"}, "ancestral, ddim"),
        ({"strength": 0.0}, "Received: 0.0"),
        ({"fixed": np.zeros((3, 3))}, r"Received: \(3, 3\)"),
        ({"fixed": {"colour": 1}}, "Received: colour"),
        ({"near": np.full(SHAPE, np.nan)}, "complete"),
        ({"condition": 1}, "takes no condition"),
        ({"guidance": 2.0}, 'with the input "known"|"known"'),
    ],
)
def test_generate_refuses(arguments, message):
    with pytest.raises(kg.InputError, match=message):
        exact().generate(**{"n": 2, "seed": 0, **arguments})


def test_bad_networks():
    sample = keras.Input(SHAPE, name="sample")
    with pytest.raises(kg.InputError, match="Received: one input"):
        kg.Diffusion(keras.Model(sample, keras.layers.Flatten()(sample)))
    with pytest.raises(kg.InputError, match="An encoder gives"):
        kg.Diffusion(denoiser(), encoder=kg.networks.image_encoder((8, 8, 1)))
    cell, same = keras.Input((2,), name="cell"), keras.Input((2,), name="asked")
    inputs = {"sample": {"cell": cell}, "time": keras.Input((), name="time"), "condition": {"cell": same}}
    with pytest.raises(kg.InputError, match="Received: 'cell'"):
        kg.Diffusion(keras.Model(inputs, {"cell": keras.layers.Add()([cell, same])}))
    with pytest.raises(kg.InputError, match="mask='sites'"):
        kg.Diffusion(field_denoiser(), fields={"coords": kg.diffusion.Field(mask="sites")})
    with pytest.raises(kg.InputError, match="A prior draws entries"):
        kg.Diffusion(denoiser(), prior=kg.diffusion.EmpiricalPrior.of({"mask": np.ones((2, 4))}))


@pytest.mark.parametrize(
    "arguments",
    [
        {"weighting": "snr"},
        {"time_sampling": "normal"},
        {"loss_weights": {"colour": 1.0}},
        {"loss_weights": 2.0},
        {"condition_dropout": 0.1},
    ],
)
def test_compile_refuses(arguments):
    with pytest.raises(kg.InputError, match="Received: "):
        exact().compile(**arguments)


def test_conditional_training_needs_conditions():
    model = kg.Diffusion(denoiser(classes=4), seed=0)
    model.compile()
    with pytest.raises(kg.InputError, match="samples alone"):
        model.fit(np.zeros((4, *SHAPE), np.float32), verbose=0)
