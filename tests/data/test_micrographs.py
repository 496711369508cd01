import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.testing import assert_allclose
from PIL import Image

from kmatgen.data.micrographs import Micrograph, Micrographs, find_micrographs, split_files
from kmatgen.errors import InputError

UHCS = Path(__file__).parents[3] / "shared" / "data" / "uhcs"


def write(path, shape=(20, 30), seed=0):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(3, 250, shape).astype(np.uint8)).save(path)
    return path


def test_what_is_recorded(tmp_path):
    path = write(tmp_path / "b" / "a.png", (20, 30, 3))
    (tmp_path / "metadata.csv").write_text("path,pixel_size\na.png,0.5\n")
    (item,) = find_micrographs(tmp_path)
    pixels = np.asarray(Image.open(path))
    contents = path.read_bytes()
    assert item == Micrograph(
        path=path,
        page=0,
        height=20,
        width=30,
        channels=3,
        dtype=np.dtype("uint8"),
        value_range=(pixels.min(), pixels.max()),
        data_bar=None,
        pixel_size=0.5,
        sha256=hashlib.sha256(contents).hexdigest(),
        stored_channels=3,
        decoder="png",
        file_size=len(contents),
    )


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


def test_pages_are_micrographs(tmp_path):
    pages = np.arange(2 * 16 * 16, dtype=np.uint16).reshape(2, 16, 16)
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="minisblack")
    files = find_micrographs(tmp_path)
    assert [(item.page, item.value_range, str(item.dtype)) for item in files] == [
        (0, (0, 255), "uint16"),
        (1, (256, 511), "uint16"),
    ]
    assert files.describe()["files"] == 1


def test_unusable_files_are_collected_or_refused(tmp_path):
    write(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"")
    (tmp_path / "worse.tif").write_bytes(b"text")
    files = find_micrographs(tmp_path)
    assert [item.path.name for item in files.refused] == ["bad.png", "worse.tif"]
    assert "empty file of zero bytes" in files.refused[0].reason
    with pytest.raises(InputError, match=r"bad\.png .* Received: an empty file"):
        find_micrographs(tmp_path, strict=True)
    (tmp_path / "good.png").unlink()
    with pytest.raises(InputError, match=r"at least one usable image\. Received: 2 image files, all refused"):
        find_micrographs(tmp_path)


def test_folders_that_cannot_be_used(tmp_path):
    with pytest.raises(InputError, match=r"a folder that exists\. Received: .*none\."):
        find_micrographs(tmp_path / "none")
    with pytest.raises(InputError, match="Received: an empty folder"):
        find_micrographs(tmp_path)
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(InputError, match=r"Received: only \.txt\."):
        find_micrographs(tmp_path)
    with pytest.raises(InputError, match=r"Received: the file .*a\.txt"):
        find_micrographs(tmp_path / "a.txt")
    with pytest.raises(InputError, match=r"channels must be None .* Received: 2\."):
        find_micrographs(tmp_path, channels=2)


def test_channels_must_agree(tmp_path):
    for name, shape in (("a.png", (9, 9)), ("b.png", (9, 9)), ("c.png", (9, 9, 3))):
        write(tmp_path / name, shape)
    with pytest.raises(InputError) as error:
        find_micrographs(tmp_path)
    message = str(error.value)
    assert "channels=1 (luminance) or channels=3 (colour)" in message
    assert f"Received: 2 with 1, 1 with 3 (for instance {tmp_path / 'c.png'} has 3)." in message
    assert [item.channels for item in find_micrographs(tmp_path, channels=1)] == [1, 1, 1]
    assert [item.stored_channels for item in find_micrographs(tmp_path, channels=3)] == [1, 1, 3]


def test_description_is_json(tmp_path):
    write(tmp_path / "a.png")
    write(tmp_path / "b.png", (40, 30))
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


def test_split_is_by_file(tmp_path):
    for index in range(10):
        write(tmp_path / f"{index}.png", seed=index)
    write(tmp_path / "copy.png", seed=3)
    tifffile.imwrite(
        tmp_path / "pages.tif", np.arange(1024, dtype=np.uint8).reshape(4, 16, 16), photometric="minisblack"
    )
    files = find_micrographs(tmp_path)
    for seed in range(12):
        train, test = split_files(files, test_fraction=0.3, seed=seed)
        assert isinstance(train, Micrographs)
        assert len(train) + len(test) == 15
        assert not {item.sha256 for item in train} & {item.sha256 for item in test}
        assert len({item.sha256 for item in test}) == 3
    assert split_files(files, seed=1) == split_files(files, seed=1)
    assert split_files(files, seed=1) != split_files(files, seed=2)


def test_split_of_paths(tmp_path):
    paths = [write(tmp_path / f"{index}.png", seed=index % 3) for index in range(6)]
    train, test = split_files(paths, test_fraction=0.01)
    assert isinstance(train, list)
    assert (len(train), len(test)) == (4, 2)
    assert sorted(train + test) == paths
    assert len(split_files([str(path) for path in paths], test_fraction=0.99)[0]) == 2


def test_splits_that_cannot_be(tmp_path):
    paths = [write(tmp_path / f"{index}.png") for index in range(2)]
    with pytest.raises(InputError, match=r"two files that differ\. Received: 2 files, 1 different\."):
        split_files(paths)
    with pytest.raises(InputError, match=r"above 0 and below 1\. Received: 1\.0\."):
        split_files(paths, test_fraction=1.0)
    with pytest.raises(InputError, match=r"none\.png must be a file that can be read\."):
        split_files([*paths, tmp_path / "none.png"])


@pytest.mark.data
@pytest.mark.skipif(not UHCS.is_dir(), reason="needs the UHCS micrographs")
def test_uhcs():
    told = find_micrographs(UHCS).describe()
    assert told["sizes"] == {"645 x 484": 78}
    assert told["data_bars"] == {"found": 78, "first_rows": {"484": 78}}
    sizes = told["pixel_size_um"]
    assert_allclose([sizes["known"], sizes["min"], sizes["max"]], [78, 0.2 / 103, 4.0], rtol=1e-6)
    assert find_micrographs(UHCS, crop_data_bar=False)[0].height == 522
