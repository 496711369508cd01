import io
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from kmatgen.data.databar import find_data_bar

UHCS = Path(__file__).parents[3] / "shared" / "data" / "uhcs"


def unit(values):
    return (values - values.min()) / np.ptp(values)


def texture(kind, shape, rng):
    """Something that may stand above a data bar, or alone."""
    field = rng.normal(size=shape)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    values = {
        "noise": lambda: rng.random(shape),
        "smooth": lambda: unit(gaussian_filter(field, 12)),
        "fine": lambda: unit(gaussian_filter(field, 2)),
        "dark": lambda: 0.05 + 0.25 * unit(gaussian_filter(field, 3)),
        "gradient": lambda: 0.2 + 0.6 * columns / shape[1] + 0.05 * unit(gaussian_filter(field, 2)),
        "vignette": lambda: unit(gaussian_filter(field, 3)) * (1.1 - (rows / shape[0]) ** 3),
        "pores": lambda: (0.5 + 0.2 * unit(gaussian_filter(field, 2))) * (gaussian_filter(field, 15) > -0.025),
        "grains": lambda: rng.random(40)[cKDTree(rng.random((40, 2)) * shape).query(np.stack([rows, columns], -1))[1]],
    }[kind]()
    return (255 * np.clip(values, 0, 1)).astype(np.uint8)


TEXTURES = ("noise", "smooth", "fine", "dark", "gradient", "vignette", "pores", "grains")


def bar(height, width, back, ink, border=0, cells=False):
    """A strip with two lines of text at most, a scale bar, and, if wanted, a border and lines between cells."""
    image = Image.new("L", (width, height), back)
    draw = ImageDraw.Draw(image)
    size = max(9, min(14, height // 2))
    font = ImageFont.load_default(size=size)
    top = 2 + border
    draw.text((4 + border, top), "HV 20.0 kV  WD 10.1 mm  SE", fill=ink, font=font)
    if height > 2.6 * size + top:
        draw.text((4 + border, top + 1.25 * size), "Sample 3   x 5 000", fill=ink, font=font)
    draw.text((int(0.78 * width), top), "5 um", fill=ink, font=font)
    draw.line([(int(0.78 * width), height - 4), (int(0.95 * width), height - 4)], fill=ink, width=2)
    if border:
        draw.rectangle([0, 0, width - 1, height - 1], outline=ink, width=border)
    if cells:
        draw.line([(int(0.75 * width), 0), (int(0.75 * width), height)], fill=ink)
    return np.asarray(image)


def jpeg(image, quality):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(io.BytesIO(file.getvalue())))


BARS = {"white on black": (0, 255), "black on white": (255, 0), "on grey": (128, 255), "on dark grey": (60, 235)}


def test_bars_of_many_kinds_are_found_to_the_row(rng):
    for index, (kind, (back, ink), border) in enumerate(product(TEXTURES, BARS.values(), (0, 1, 2))):
        height = (20, 32, 48, 60)[index % 4]
        strip = bar(height, 480, back, ink, border, cells=index % 3 == 0)
        image = np.vstack([texture(kind, (400 - height, 480), rng), strip])
        assert find_data_bar(image) == 400 - height, (kind, back, ink, border, height)


def test_bars_of_several_backgrounds(rng):
    """Cells side by side, and two strips on top of each other."""
    for index, (kind, tones) in enumerate(product(TEXTURES[::2], ((0, 255), (255, 0), (60, 200)))):
        height = (24, 32, 48, 60)[index % 4]
        one, two = (bar(height, 480, tone, 0 if tone > 128 else 255) for tone in tones)
        image = texture(kind, (400 - height, 480), rng)
        for at in (150, 240, 330):
            assert find_data_bar(np.vstack([image, np.hstack([one[:, :at], two[:, at:]])])) == 400 - height
        three = np.hstack([one[:, :160], two[:, 160:320], one[:, 320:]])
        assert find_data_bar(np.vstack([image, three])) == 400 - height
        assert find_data_bar(np.vstack([image, one, two])) == 400 - height


def test_bars_in_compressed_images_are_found_within_two_rows(rng):
    for kind, (back, ink), quality in product(("fine", "grains", "smooth"), BARS.values(), (60, 90)):
        image = np.vstack([texture(kind, (360, 480), rng), bar(40, 480, back, ink)])
        found = find_data_bar(jpeg(image, quality))
        assert found is not None
        assert abs(found - 360) <= 2


def test_other_number_types_and_colour(rng):
    image = np.vstack([texture("fine", (360, 480), rng), bar(40, 480, 0, 255)])
    for other in (
        image.astype(np.uint16) * 257,
        image.astype(np.float32) / 255 - 0.5,
        image.astype(np.int32) * 1000 - 7,
        image[:, :, None],
        np.repeat(image[:, :, None], 3, axis=2),
        np.stack([image, np.full_like(image, 255)], axis=2),
    ):
        assert find_data_bar(other) == 360


def test_small_images(rng):
    strip = np.asarray(Image.fromarray(bar(12, 128, 0, 255)))
    assert find_data_bar(np.vstack([texture("fine", (116, 128), rng), strip])) == 116
    for size in (1, 2, 7, 16, 31, 64):
        assert find_data_bar(texture("noise", (size, size), rng)) is None


def particles(shape, count, radius, rng, outline=False):
    image = Image.new("L", shape[::-1], 0)
    draw = ImageDraw.Draw(image)
    for row, column in rng.random((count, 2)) * shape:
        box = [column - radius, row - radius, column + radius, row + radius]
        draw.ellipse(box, fill=None if outline else 255, outline=255)
    return np.asarray(image)


def without_bar(rng):
    """Images that end in something flat, sharp, dark, regular or strewn, but in no data bar."""
    shape = (200, 256)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    for kind in TEXTURES:
        yield kind, texture(kind, shape, rng)
    for value in (0, 128, 255):
        yield "constant", np.full(shape, value, np.uint8)
    for period in (3, 8, 20, 33):
        yield "checkerboard", np.uint8(255 * ((rows // period + columns // period) % 2))
        yield "horizontal stripes", np.uint8(255 * (rows // period % 2))
        yield "vertical stripes", np.uint8(255 * (columns // period % 2))
        yield "net", np.uint8(255 * ((rows % period < 2) | (columns % period < 2)))
        yield "squares", np.uint8(255 * ((rows % period < period // 2) & (columns % period < period // 2)))
        yield "discs", particles(shape, 60, period / 2, rng)
        yield "rings", particles(shape, 60, period / 2, rng, outline=True)
        yield "threshold", np.uint8(255 * (gaussian_filter(rng.normal(size=shape), period / 3) > 0))
        yield "lamellae", np.uint8(255 * (gaussian_filter(rng.normal(size=shape), (2, 5 * period)) > 0))
    for foot in (12, 25, 40):
        image = texture("fine", shape, rng)
        image[-foot:] = 0
        yield "black foot", image
        image = image.copy()
        image[-foot:] = particles((foot, shape[1]), 15, 3, rng)
        yield "layer with particles", image
        image = image.copy()
        image[-foot:] = 255 * (rng.random((foot, shape[1])) < 0.02)
        yield "layer with specks", image
        image = image.copy()
        image[-foot:, 100:] = 255 - particles((foot, shape[1] - 100), 15, 3, rng)
        yield "two layers side by side", image
    ramp = np.repeat(np.linspace(0, 255, shape[0])[:, None], shape[1], axis=1)
    yield "gradient down", ramp.astype(np.uint8)
    yield "gradient up", ramp[::-1].astype(np.uint8)


def test_images_without_a_bar_are_left_whole(rng):
    for name, image in without_bar(rng):
        assert find_data_bar(image) is None, name
        assert find_data_bar(image.astype(np.float32)) is None, name
        assert find_data_bar(jpeg(image, 70)) is None, name


@pytest.mark.data
@pytest.mark.skipif(not UHCS.is_dir(), reason="needs the UHCS micrographs")
def test_all_of_uhcs():
    files = sorted([*UHCS.glob("*.tif"), *UHCS.glob("*.png")])
    images = [np.asarray(Image.open(path).convert("L")) for path in files]
    assert_array_equal([find_data_bar(image) for image in images], [484] * 78)
    assert [find_data_bar(image[:484]) for image in images] == [None] * 78
