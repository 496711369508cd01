"""Every Python example of the README runs, in order, in one folder."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("readme")
    (folder / "micrographs").mkdir()
    rng = np.random.default_rng(0)
    for index in range(6):
        pixels = rng.integers(0, 255, (256, 256), np.uint8)
        Image.fromarray(pixels).save(folder / "micrographs" / f"{index}.tif")
    return folder


@pytest.mark.parametrize("index", range(len(EXAMPLES)))
def test_example(index, folder, monkeypatch):
    monkeypatch.chdir(folder)
    code = EXAMPLES[index].replace("epochs=50", "epochs=1")
    assert "epochs=" not in code or "epochs=1" in code
    names = {}
    exec(compile(code, f"README example {index}", "exec"), names)
    if "images" in names:
        assert names["images"].shape in {(16, 64, 64, 1), (16, 16, 16, 1)}
