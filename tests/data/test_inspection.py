import hashlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.testing import assert_allclose

from kmatgen.data.inspection import find_micrographs
from kmatgen.data.micrographs import Micrograph
from kmatgen.errors import InputError
from tests.data.pictures import write

UHCS = Path(__file__).parents[3] / "shared" / "data" / "uhcs"


def test_what_is_recorded(tmp_path):
    path = tmp_path / "b" / "a.png"
    pixels = write(path, (20, 30, 3))
    (tmp_path / "metadata.csv").write_text("path,pixel_size\na.png,0.5\n")
    (item,) = find_micrographs(tmp_path)
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
    with pytest.raises(InputError, match=r"Received: .*none, which does not exist\."):
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
    assert "--channels 1 (luminance) or 3 (colour)" in message
    assert f"Received: 2 with 1, 1 with 3 (for instance {tmp_path / 'c.png'} has 3)." in message
    assert [item.channels for item in find_micrographs(tmp_path, channels=1)] == [1, 1, 1]
    assert [item.stored_channels for item in find_micrographs(tmp_path, channels=3)] == [1, 1, 3]


@pytest.mark.data
@pytest.mark.skipif(not UHCS.is_dir(), reason="needs the UHCS micrographs")
def test_uhcs():
    told = find_micrographs(UHCS).describe()
    assert told["sizes"] == {"645 x 484": 78}
    assert told["data_bars"] == {"found": 78, "first_rows": {"484": 78}}
    sizes = told["pixel_size_um"]
    assert_allclose([sizes["known"], sizes["min"], sizes["max"]], [78, 0.2 / 103, 4.0], rtol=1e-6)
    assert find_micrographs(UHCS, crop_data_bar=False)[0].height == 522
