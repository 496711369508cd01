import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg
from kmatgen.crystals.crystens_study import (
    Trained,
    consistency_table,
    crystens_model,
    train_for,
    write_crystens_study,
)
from kmatgen.metrics.crystal_consistency import PUBLISHED_CONSISTENCY
from kmatgen.representations import CrysTens
from tests.representations.crystals import perovskites

SITES = 36


@pytest.fixture(scope="module")
def real():
    table = perovskites(12)
    codec = CrysTens(SITES).fit(table)
    return codec, codec.encode(table)


# Three-dimensional convolutions, twice differentiated, take TensorFlow long to trace.
SLOW = [pytest.param(family, marks=pytest.mark.slow) for family in ("gan", "wgan_gp")]


@pytest.mark.parametrize("family", [*SLOW, "diffusion"])
def test_families_train_and_generate(real, family):
    _, tensors = real
    model = crystens_model(family, SITES + 12, 0.02, seed=1)
    trained = train_for(model, tensors, 1e-6, 2)
    assert trained.steps == 2
    made = model.generate(3, seed=0, **({"steps": 2} if family == "diffusion" else {}))
    assert made.shape == (3, 48, 48, 4)
    assert made.min() >= 0
    assert made.max() <= 1


def test_table_and_page(real, tmp_path, rng):
    codec, tensors = real
    noisy = (tensors[:5] + rng.normal(0, 0.01, tensors[:5].shape)).astype(np.float32)
    same = np.repeat(tensors[:1], 5, axis=0)
    generated = {"gan": noisy, "diffusion": same}
    effort = Trained(kg.GAN(*(kg.networks.mlp_generator((8, 8, 1), 2, (2,)),
                              kg.networks.mlp_discriminator((8, 8, 1), (2,)))), 7, 1.5)  # fmt: skip
    table = consistency_table(codec, tensors, generated, dict.fromkeys(generated, effort))
    assert list(table.index) == ["real", "gan", "gan (published)", "diffusion", "diffusion (published)"]
    five = list(PUBLISHED_CONSISTENCY["GAN"]._fields)
    assert_allclose(table.loc["real", five].astype(float), 0, atol=1e-6)
    assert_allclose(table.loc["gan (published)", five].astype(float), PUBLISHED_CONSISTENCY["GAN"])
    # The variance of a space-group number is that of the noise, on a scale of 229 numbers.
    low, high = (np.array(codec.ranges[name])[10] for name in ("low", "high"))
    assert_allclose(table.loc["gan", "space_group"], (0.01 * (high - low)) ** 2, rtol=0.5)
    assert_array_equal(table.loc[["real", "diffusion"], "diversity"], [1, 0])
    assert table.loc["gan", "steps"] == 7

    page = write_crystens_study(table, codec, tensors, generated, tmp_path, {"width": 0.02})
    assert "diffusion (published)" in page.read_text()
    written = pd.read_csv(tmp_path / "consistency.csv", index_col=0)
    assert written.loc["diffusion (published)", "angles"] == 0.342
    assert (tmp_path / "tensors.png").is_file()


def test_unknown_family():
    with pytest.raises(kg.InputError, match="gan, wgan_gp, diffusion. Received: 'vae'"):
        crystens_model("vae")
