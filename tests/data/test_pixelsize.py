import numpy as np
import pytest
import tifffile
from numpy.testing import assert_allclose
from PIL import Image

from kmatgen.data.pixelsize import pixel_size, read_metadata
from kmatgen.errors import InputError


def table(tmp_path, text):
    path = tmp_path / "metadata.csv"
    path.write_text(text, encoding="utf-8")
    return path


def tiff(tmp_path, **options):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((8, 8), np.uint8), **options)
    return path


def test_scale_bar(tmp_path):
    for unit, expected in {"um": 2.0, "\u00b5m": 2.0, "\u03bcm": 2.0, "": 2.0, "nm": 2e-3, "mm": 2e3}.items():
        csv = table(tmp_path, f"path,micron_bar,micron_bar_px,micron_bar_units\na.png,200,100,{unit}\n")
        assert_allclose(pixel_size("folder/a.png", read_metadata(csv)), expected, rtol=1e-12)
        assert_allclose(pixel_size("folder/a.png", csv), expected, rtol=1e-12)


def test_columns(tmp_path):
    for name, size in (("path", "pixel_size"), ("file", "pixel_size_um"), ("filename", "pixel_size")):
        rows = read_metadata(table(tmp_path, f"{name},{size}\na.png,0.25\nb.png,\nsub/a.png,0.5\n"))
        assert list(rows) == ["a.png", "b.png", "sub/a.png"]
        assert_allclose(pixel_size("x/a.png", rows), 0.25)
        assert_allclose(pixel_size("x/sub/a.png", rows), 0.5)
        assert pixel_size("x/b.png", rows) is None
        assert pixel_size("x/c.png", rows) is None


def test_bad_rows(tmp_path):
    for row, message in {
        "200,100,parsec": "micron_bar_units of a.png must be um, nm or mm. Received: 'parsec'.",
        "long,100,um": "micron_bar of a.png must be a positive number. Received: 'long'.",
        "200,0,um": "micron_bar_px of a.png must be a positive number. Received: '0'.",
    }.items():
        rows = read_metadata(table(tmp_path, f"path,micron_bar,micron_bar_px,micron_bar_units\na.png,{row}\n"))
        with pytest.raises(InputError) as error:
            pixel_size("a.png", rows)
        assert str(error.value) == message


def test_bad_tables(tmp_path):
    with pytest.raises(InputError, match=r"needs a column path, file or filename\. Received: name, size\."):
        read_metadata(table(tmp_path, "name,size\na.png,1\n"))
    with pytest.raises(InputError, match=r"none\.csv must be a csv table"):
        read_metadata(tmp_path / "none.csv")


def test_imagej(tmp_path):
    path = tiff(tmp_path, imagej=True, resolution=(50.0, 50.0), metadata={"unit": "micron"})
    assert_allclose(pixel_size(path), 0.02, rtol=1e-6)


def test_table_comes_before_tags(tmp_path):
    path = tiff(tmp_path, imagej=True, resolution=(50.0, 50.0), metadata={"unit": "micron"})
    assert_allclose(pixel_size(path, {"a.tif": {"pixel_size": "3"}}), 3.0)
    assert_allclose(pixel_size(path, {"b.tif": {"pixel_size": "3"}}), 0.02, rtol=1e-6)


def test_fei(tmp_path):
    text = b"[Scan]\r\nPixelWidth=2.5e-009\r\nPixelHeight=2.5e-009\r\n\0"
    path = tiff(tmp_path, extratags=[(34682, 2, len(text), text, True)], metadata=None)
    assert_allclose(pixel_size(path), 2.5e-3, rtol=1e-12)


def test_zeiss(tmp_path):
    text = "\r\n".join(["0"] * 60 + ["AP_PIXEL_SIZE", "Pixel Size = 12.5 nm", ""]).encode() + b"\0"
    path = tiff(tmp_path, extratags=[(34118, 2, len(text), text, True)], metadata=None)
    assert_allclose(pixel_size(path), 12.5e-3, rtol=1e-12)


def test_ome(tmp_path):
    for size, unit, expected in ((12.5, "nm", 12.5e-3), (0.25, "\u00b5m", 0.25), (2.0, None, 2.0)):
        units = {} if unit is None else {"PhysicalSizeXUnit": unit}
        tifffile.imwrite(
            tmp_path / "a.ome.tif", np.zeros((8, 8), np.uint8), metadata={"axes": "YX", "PhysicalSizeX": size, **units}
        )
        assert_allclose(pixel_size(tmp_path / "a.ome.tif"), expected, rtol=1e-12)
    tifffile.imwrite(tmp_path / "a.ome.tif", np.zeros((8, 8), np.uint8))
    assert pixel_size(tmp_path / "a.ome.tif") is None


@pytest.mark.parametrize(("name", "dots"), [("a.png", 254_000), ("a.jpg", 5080), ("a.bmp", 254_000)])
def test_resolution_in_other_headers(tmp_path, name, dots):
    image = Image.fromarray(np.zeros((8, 8), np.uint8))
    image.save(tmp_path / name, dpi=(dots, dots))
    assert_allclose(pixel_size(tmp_path / name), 25400 / dots, rtol=1e-4)
    image.save(tmp_path / name, dpi=(300, 300))
    assert pixel_size(tmp_path / name) is None
    image.save(tmp_path / name)
    assert pixel_size(tmp_path / name) is None


def test_resolution_is_believed_if_no_printer_has_it(tmp_path):
    found = [
        pixel_size(tiff(tmp_path, resolution=(resolution, resolution), resolutionunit=unit, metadata=None))
        for resolution, unit in [(1e6, "CENTIMETER"), (254000, "INCH")]
    ]
    assert_allclose(found, [0.01, 0.1], rtol=1e-6)
    for resolution, unit in [(72, "INCH"), (300, "INCH"), (1200, "INCH"), (118, "CENTIMETER"), (1e6, "NONE")]:
        path = tiff(tmp_path, resolution=(resolution, resolution), resolutionunit=unit, metadata=None)
        assert pixel_size(path) is None


def test_nothing_tells(tmp_path):
    assert pixel_size(tiff(tmp_path)) is None
    (tmp_path / "b.tif").write_bytes(b"no tiff")
    assert pixel_size(tmp_path / "b.tif") is None
