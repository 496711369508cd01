import json

from kmatgen import presets
from kmatgen.study import worker

TINY = {
    "data.size": 16,
    "data.polycrystal.n": 20,
    "data.polycrystal.grain_size": [4, 8],
    "networks.generator.config.filters": 2,
    "networks.discriminator.config.filters": 2,
    "fit.batch_size": 8,
    "fit.epochs": 1,
    "fit.evaluate_every": 0,
}


def test_a_member_that_is_a_gan_ends_with_its_generator_loss(tmp_path):
    value, results = worker._train(presets.resolve("dcgan_64", TINY), tmp_path / "member")
    last = json.loads((tmp_path / "member" / "metrics.json").read_text())["last"]
    assert value == last["val_g_loss"]
    assert results["losses"] == last
    assert (results["epochs"], results["resumed"]) == (1, False)
