import base64
import io
import struct
import zlib
from itertools import product

import numpy as np
import pytest
import tensorflow as tf
import tifffile
from numpy.testing import assert_array_equal
from PIL import Image

from kmatgen.data.reading import native_decoder, read_page, read_pages
from kmatgen.errors import InputError


def noise(*shape, dtype="uint8", seed=0):
    top = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    return (np.random.default_rng(seed).random(shape) * top).astype(dtype)


def png_bytes(pixels):
    """A PNG of any depth and channel count, which Pillow cannot write."""
    height, width, channels = pixels.shape
    bits, kind = pixels.itemsize * 8, {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(f">u{pixels.itemsize}").tobytes() for row in pixels)

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_png_keeps_depth_and_channels(tmp_path):
    path = tmp_path / "a.png"
    for dtype, channels in product(["uint8", "uint16"], [1, 2, 3, 4]):
        pixels = noise(9, 7, channels, dtype=dtype)
        path.write_bytes(png_bytes(pixels))
        (page,) = read_pages(path)
        assert page.dtype == dtype
        assert_array_equal(page, pixels)


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_tiff_keeps_depth_and_channels(tmp_path, channels):
    path = tmp_path / "a.tif"
    options = {"photometric": "rgb" if channels == 3 else "minisblack"} | (
        {"planarconfig": "contig"} if channels > 1 else {}
    )
    types = ["uint8", "uint16", "int16", "int32", "uint32", "float32", "float64"]
    for dtype, byteorder, compression in product(types, "<>", [None, "zlib"]):
        pixels = noise(9, 7, channels, dtype=dtype)
        stored = pixels[:, :, 0] if channels == 1 else pixels
        tifffile.imwrite(path, stored, byteorder=byteorder, compression=compression, **options)
        (page,) = read_pages(path)
        assert page.dtype == dtype
        assert page.dtype.isnative
        assert_array_equal(page, pixels)


def test_planes_of_a_tiff_become_channels(tmp_path):
    pixels = noise(9, 7, 3, dtype="uint16")
    tifffile.imwrite(tmp_path / "a.tif", np.moveaxis(pixels, -1, 0), photometric="rgb", planarconfig="separate")
    assert_array_equal(read_pages(tmp_path / "a.tif")[0], pixels)


def test_white_can_be_zero(tmp_path):
    pixels = noise(9, 7, dtype="uint16")
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="miniswhite")
    assert_array_equal(read_pages(tmp_path / "a.tif")[0][:, :, 0], 65535 - pixels)


def test_wide_colour_of_a_codec_only_pillow_knows(tmp_path, monkeypatch):
    def no_codec(self, *args, **kwargs):
        raise ValueError("<COMPRESSION.LZW: 5> requires the 'imagecodecs' package")

    monkeypatch.setattr(tifffile.TiffPage, "asarray", no_codec)
    path = tmp_path / "a.tif"
    for byteorder, channels in product("<>", [3, 4]):
        pixels = noise(9, 7, channels, dtype="uint16")
        extra = ["unassalpha"] if channels == 4 else None
        tifffile.imwrite(path, pixels, photometric="rgb", byteorder=byteorder, compression="zlib", extrasamples=extra)
        assert_array_equal(read_pages(path)[0], pixels)


# Written by tifffile with imagecodecs: compression="lzw", predictor=True, photometric="rgb", six rows of five pixels.
LZW = (
    "Nl7XI2mk;84gdfF1ONd5000F5000321ONd5000I6000630{{a6006cC000940{{U4000F5000I70{{U400062000pI1ONd5007Vc000#M0{{U4000"
    "93000&N1ONd5000I6000*O1ONd5002n<000^R1pom6006uI000{S1pom6006`Q000~T0{{U400031001Zf0{{U400031002D!0{{U4000620000000"
    "0mG5C9MW0RR910RR910RR910RR9100000fB*mjvT<2B2?4?(P?%&c9SjtR%7+vB{vQ{H#$g2_G4&{@aYiIjpc(AardzZ?vN>ciNQ`H;pF)XjwVJP"
    "dKSX57tdbW200"
)


def test_wide_colour_in_lzw(tmp_path):
    (tmp_path / "a.tif").write_bytes(base64.b85decode(LZW))
    rows, columns, channels = np.mgrid[:6, :5, :3]
    assert_array_equal(
        read_pages(tmp_path / "a.tif")[0], (9001 * rows + 777 * columns + 20011 * channels).astype(np.uint16)
    )


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_pages_of_a_tiff(tmp_path, compression):
    pages = [noise(9, 7, seed=seed) for seed in range(3)]
    first, *others = map(Image.fromarray, pages)
    first.save(tmp_path / "a.tif", save_all=True, append_images=others, compression=compression)
    assert_array_equal(np.stack(read_pages(tmp_path / "a.tif"))[..., 0], np.stack(pages))
    assert_array_equal(read_page(tmp_path / "a.tif", 2)[..., 0], pages[2])
    with pytest.raises(InputError, match=r"a\.tif must hold page 3 .*Received: fewer pages\."):
        read_page(tmp_path / "a.tif", 3)


def test_a_thumbnail_is_no_page(tmp_path):
    pixels = noise(16, 16)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(pixels, metadata=None)
        file.write(pixels[::4, ::4], subfiletype=1, metadata=None)
    (page,) = read_pages(tmp_path / "a.tif")
    assert_array_equal(page[:, :, 0], pixels)


def test_one_bit_becomes_0_and_255(tmp_path):
    pixels = noise(9, 7) > 100
    for name in ("a.png", "a.tif", "a.bmp"):
        Image.fromarray(pixels).save(tmp_path / name)
        (page,) = read_pages(tmp_path / name)
        assert_array_equal(page, np.where(pixels, 255, 0).astype(np.uint8)[:, :, None])


def test_palettes(tmp_path):
    grey = noise(9, 7)
    Image.fromarray(grey).convert("P").save(tmp_path / "grey.png")
    assert_array_equal(read_pages(tmp_path / "grey.png")[0], grey[:, :, None])
    colour = Image.fromarray(noise(9, 7, 3)).quantize(16)
    colour.save(tmp_path / "colour.png")
    assert_array_equal(read_pages(tmp_path / "colour.png")[0], np.asarray(colour.convert("RGB")))


def test_alpha_is_dropped_only_where_it_is_opaque(tmp_path):
    pixels = noise(9, 7, 4)
    Image.fromarray(pixels).save(tmp_path / "kept.png")
    assert_array_equal(read_pages(tmp_path / "kept.png")[0], pixels)
    pixels[..., 3] = 255
    Image.fromarray(pixels).save(tmp_path / "dropped.png")
    assert_array_equal(read_pages(tmp_path / "dropped.png")[0], pixels[..., :3])
    Image.fromarray(pixels[..., 2:]).save(tmp_path / "grey.png")
    assert_array_equal(read_pages(tmp_path / "grey.png")[0], pixels[..., 2:3])


def test_cmyk_becomes_rgb(tmp_path):
    image = Image.fromarray(noise(9, 7, 3)).convert("CMYK")
    image.save(tmp_path / "a.tif")
    assert_array_equal(read_pages(tmp_path / "a.tif")[0], np.asarray(image.convert("RGB")))


def saved(form, shape=(40, 50)):
    file = io.BytesIO()
    Image.fromarray(noise(*shape)).save(file, form)
    return file.getvalue()


def test_damage_is_named(tmp_path):
    cases = [
        ("a.png", b"", "an empty file of zero bytes"),
        ("a.png", b"not an image at all", "cannot identify image file"),
        ("a.tif", b"not an image at all", "cannot identify image file"),
        ("a.tif", b"II*\0 and no more", "."),
        *[(f"a.{form}", saved(form)[:-30], "truncated") for form in ("png", "jpeg", "bmp", "tiff")],
        ("a.png", saved("gif"), "a file in the format GIF"),
        ("a.png", png_bytes(noise(9, 7, 3, dtype="uint16"))[:-60], "truncated"),
    ]
    for name, contents, fault in cases:
        path = tmp_path / name
        path.write_bytes(contents)
        with pytest.raises(InputError, match=rf"{name} must be .*Received: .*{fault}"):
            read_pages(path)


def test_numbers_must_be_finite(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.array([[1, np.nan], [np.inf, 2]], np.float32))
    with pytest.raises(InputError, match=r"a\.tif must hold finite .* Received: 2 pixels that are NaN or infinite\."):
        read_pages(tmp_path / "a.tif")


def test_a_bomb_is_refused(tmp_path, monkeypatch):
    Image.fromarray(noise(40, 50)).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "a.tif", noise(40, 50, 3, dtype="uint16"))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    for name in ("a.png", "a.tif"):
        with pytest.raises(InputError, match=rf"{name} must be .*Received: .*2000 pixels|50 x 40 pixels"):
            read_pages(tmp_path / name)


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match=r"none\.png must be .* Received: no such file\."):
        read_pages(tmp_path / "none.png")


def test_native_decoders_give_the_same_pixels(tmp_path):
    ops = {
        "png": tf.io.decode_png,
        "jpeg": lambda contents: tf.io.decode_jpeg(contents, dct_method="INTEGER_ACCURATE"),
        "bmp": tf.io.decode_bmp,
    }
    for name, shape, options, expected in (
        ("a.png", (33, 37), {}, "png"),
        ("a.png", (33, 37, 3), {}, "png"),
        ("a.jpg", (33, 37), {"quality": 60}, "jpeg"),
        ("a.jpg", (33, 37, 3), {"quality": 60}, "jpeg"),
        ("a.jpg", (33, 37, 3), {"quality": 95, "subsampling": 0, "progressive": True}, "jpeg"),
        ("a.bmp", (33, 37, 3), {}, "bmp"),
        ("a.bmp", (33, 37), {}, ""),
        ("a.tif", (33, 37), {}, ""),
    ):
        path = tmp_path / name
        Image.fromarray(noise(*shape)).save(path, **options)
        contents, pixels = path.read_bytes(), read_pages(path)[0]
        assert native_decoder(contents, pixels) == expected
        if expected:
            assert_array_equal(ops[expected](contents).numpy(), pixels)


def test_orientation_is_that_of_a_viewer(tmp_path):
    pixels = noise(4, 6) // 2
    stored = {  # by the first stored row and column, as the standard defines the numbers
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.T,
        6: pixels.T[::-1],
        7: pixels[::-1, ::-1].T,
        8: pixels.T[:, ::-1],
    }
    for orientation, rows in stored.items():
        image, exif = Image.fromarray(np.ascontiguousarray(rows)), Image.Exif()
        exif[274] = orientation
        image.save(tmp_path / "a.png", exif=exif)
        image.save(tmp_path / "lzw.tif", compression="tiff_lzw", tiffinfo={274: orientation})
        tag = [(274, "H", 1, orientation, True)]
        tifffile.imwrite(tmp_path / "8.tif", rows, extratags=tag)
        tifffile.imwrite(tmp_path / "64.tif", rows.astype(np.float64), extratags=tag)
        for path in sorted(tmp_path.iterdir()):
            assert_array_equal(read_page(path)[..., 0], pixels, err_msg=f"{path.name}, {orientation}")
        assert native_decoder((tmp_path / "a.png").read_bytes(), pixels[..., None]) == ""
    Image.fromarray(pixels).save(tmp_path / "a.jpg")
    image.save(tmp_path / "turned.jpg", exif=exif)
    for name, decoder in {"a.jpg": "jpeg", "turned.jpg": ""}.items():
        assert read_page(tmp_path / name).shape == (4, 6, 1)
        assert native_decoder((tmp_path / name).read_bytes(), pixels[..., None]) == decoder
