import json

import numpy as np
import pytest
from PIL import Image

from kmatgen.cli import main
from kmatgen.cli.serve import asking_for
from kmatgen.run import Run


@pytest.mark.parametrize(
    ("condition", "names", "option"),
    [
        (None, None, ""),
        ("phase_fraction", None, " --condition 0.3"),
        ("class", None, " --condition 0"),
        ("class", ["old pearlite", "steel"], " --condition 'old pearlite'"),
        ("class", ["10", "20"], " --condition 0"),
    ],
)
def test_an_example_of_what_to_ask_for(condition, names, option, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"data": {"condition": condition}}))
    (tmp_path / "data.json").write_text(json.dumps({} if names is None else {"class_names": names}))
    assert asking_for(Run.open(tmp_path)) == option


@pytest.mark.slow
def test_micrographs_are_asked_for_by_the_name_of_their_class(tmp_path, rng, capsys):
    for kind, value in {"dark": 60, "bright": 190}.items():
        (tmp_path / "steels" / kind).mkdir(parents=True)
        for number in range(3):
            pixels = rng.normal(value, 20, (32, 32)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "steels" / kind / f"{number}.png")
    small = [f"networks.{role}.config.filters=4" for role in ("generator", "discriminator")]
    options = [part for setting in [*small, "fit.evaluate_every=0"] for part in ("--set", setting)]
    options += ["--quiet", "--size", "16", "--epochs", "1", "--batch-size", "8"]
    main(["train", "conditional_gan_32", "--data", "steels", "--out", "run", *options])
    assert "Next: kmatgen sample run -n 64 --condition bright" in capsys.readouterr().out
    main(["export", "run", "--out", "served"])
    for model in ("run", "served"):
        for condition in ("dark", "1", '["dark", "dark"]'):
            main(["sample", model, "-n", "2", "--condition", condition, "--out", f"{model}_{condition}"])
    samples = [np.load(path / "samples.npz")["samples"] for path in tmp_path.glob("*_*") if path.is_dir()]
    assert len(samples) == 6
    for each in samples:
        np.testing.assert_allclose(each, samples[0], atol=1e-5)
