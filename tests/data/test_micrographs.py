import json

import numpy as np

from kmatgen.data.inspection import find_micrographs
from kmatgen.data.micrographs import Micrographs
from tests.data.pictures import write


def test_it_is_a_sorted_sequence(tmp_path):
    for name in ("c.png", "a.tif", "b/b.bmp", ".hidden.png", "B.JPG"):
        write(tmp_path / name)
    (tmp_path / "notes.txt").write_text("nothing to see")
    files = find_micrographs(tmp_path)
    names = [item.path.relative_to(tmp_path).as_posix() for item in files]
    assert names == ["B.JPG", "a.tif", "b/b.bmp", "c.png"]
    assert len(files) == 4
    assert files[-1].path.name == "c.png"
    assert isinstance(files[1:3], Micrographs)
    assert list(files[1:3]) == [files[1], files[2]]
    assert files.folder == tmp_path
    assert files.refused == ()


def test_description_is_json(tmp_path):
    pixels = write(tmp_path / "a.png").ravel(), write(tmp_path / "b.png", (40, 30)).ravel()
    (tmp_path / "c.png").write_bytes(b"")
    (tmp_path / "metadata.csv").write_text("path,pixel_size\na.png,0.5\n")
    files = find_micrographs(tmp_path)
    told = json.loads(json.dumps(files.describe()))
    assert told.pop("refused")[0]["file"] == str(tmp_path / "c.png")
    assert told == {
        "folder": str(tmp_path),
        "files": 2,
        "images": 2,
        "sizes": {"30 x 20": 1, "30 x 40": 1},
        "bit_depths": {"uint8": 2},
        "channels": {"1": 2},
        "pixel_values": {"min": np.concatenate(pixels).min(), "max": np.concatenate(pixels).max()},
        "data_bars": {"found": 0, "first_rows": {}},
        "pixel_size_um": {"known": 1, "min": 0.5, "median": 0.5, "max": 0.5},
        "content_hash": files.content_hash,
    }


def test_content_hash_is_of_the_contents(tmp_path):
    write(tmp_path / "one" / "a.png")
    write(tmp_path / "two" / "b.png")
    write(tmp_path / "three" / "a.png", seed=1)
    one, two, three = (find_micrographs(tmp_path / name).content_hash for name in ("one", "two", "three"))
    assert one == two
    assert one != three
    assert len(one) == 64
