import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tifffile
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from kmatgen.data.inspection import find_micrographs
from kmatgen.data.micrographs import Micrographs
from kmatgen.data.patches import large_enough, micrograph_patches, patch_count, patch_owners
from kmatgen.data.reading import read_pages
from kmatgen.errors import InputError
from tests.data.pictures import write


def array(dataset):
    return np.stack(list(dataset.as_numpy_iterator()))


def test_tiles_row_by_row(tmp_path):
    pixels = write(tmp_path / "a.png", (20, 30)) / np.float32(255)
    patches = micrograph_patches(find_micrographs(tmp_path), 8)
    assert patches.element_spec == tf.TensorSpec((8, 8, 1), tf.float32)
    assert patches.cardinality() == 6
    expected = [pixels[row : row + 8, column : column + 8] for row in (0, 8) for column in (0, 8, 16)]
    assert_array_equal(array(patches)[..., 0], np.stack(expected))


def test_stride(tmp_path):
    pixels = write(tmp_path / "a.png", (20, 30, 3)) / np.float32(255)
    patches = micrograph_patches(find_micrographs(tmp_path), 8, stride=5)
    corners = [(row, column) for row in range(0, 13, 5) for column in range(0, 23, 5)]
    assert patches.cardinality() == len(corners) == 15
    assert_array_equal(array(patches), np.stack([pixels[y : y + 8, x : x + 8] for y, x in corners]))


@pytest.mark.parametrize("shape", [(33, 37), (33, 37, 3)])
def test_a_mixed_folder_is_read_as_read_pages_does(tmp_path, shape):
    """Native and Python decoding give the same pixels, and each file is read by its own way."""
    for index, name in enumerate(("a.png", "b.jpg", "c.bmp", "d.tif", "e.png", "f.jpg")):
        write(tmp_path / name, shape, seed=index)
    files = find_micrographs(tmp_path)
    assert {item.decoder for item in files} >= {"png", "jpeg", ""}
    pixels = np.stack([read_pages(item.path)[0][:16, :16] for item in files]) / np.float32(255)
    native = array(micrograph_patches(files, 16, stride=30))
    assert_array_equal(native, pixels)
    in_python = [dataclasses.replace(item, decoder="") for item in files]
    assert_array_equal(array(micrograph_patches(in_python, 16, stride=30)), native)
    assert_array_equal(array(micrograph_patches([item.path for item in files], 16, stride=30)), native)


def test_sixteen_bits_and_floats_are_scaled_by_the_image(tmp_path):
    numbers = np.linspace(1000, 3000, 256).reshape(16, 16)
    Image.fromarray(numbers.astype(np.uint16)).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "b.tif", numbers.astype(np.float32))
    tifffile.imwrite(tmp_path / "c.tif", numbers.astype(">u2"))
    tifffile.imwrite(tmp_path / "d.tif", (numbers * 1e6).astype(np.uint32))
    patches = array(micrograph_patches(find_micrographs(tmp_path), 16))
    for patch, tolerance in zip(patches, (3e-4, 1e-6, 3e-4, 1e-6), strict=True):
        assert_allclose(patch[..., 0], (numbers - 1000) / 2000, atol=2 * tolerance)
        assert (patch.min(), patch.max()) == (0.0, 1.0)


def test_scales(tmp_path):
    pixels = write(tmp_path / "a.png", (16, 16)).astype(np.float64)
    Image.fromarray(np.full((16, 16), 7, np.uint8)).save(tmp_path / "b.png")
    files = find_micrographs(tmp_path)
    by_image = array(micrograph_patches(files, 16, scale="image"))
    assert_allclose(by_image[0, ..., 0], (pixels - pixels.min()) / np.ptp(pixels), rtol=1e-6)
    assert_array_equal(by_image[1], np.zeros((16, 16, 1)))
    assert_allclose(array(micrograph_patches(files, 16, scale="type"))[0, ..., 0], pixels / 255, rtol=1e-6)
    tifffile.imwrite(tmp_path / "c.tif", np.zeros((16, 16), np.float32))
    with pytest.raises(InputError, match=r"scale='type' is for integer pixels.*Received: .*c\.tif, float32\."):
        micrograph_patches(find_micrographs(tmp_path), 16, scale="type")


@pytest.mark.parametrize("scale", ["auto", "image", "type"])
def test_masks_stay_what_they_are(tmp_path, scale):
    masks = np.random.default_rng(0).integers(0, 2, (4, 16, 16))
    masks[2:] = [[[0]], [[1]]]  # of one phase
    for index, (mask, dtype) in enumerate(zip(masks, ["uint8", "uint16", "uint8", "uint8"], strict=True)):
        Image.fromarray(mask.astype(dtype)).save(tmp_path / f"{index}.png")
    assert_array_equal(array(micrograph_patches(find_micrographs(tmp_path), 16, scale=scale))[..., 0], masks)


def test_images_that_would_be_black_are_refused(tmp_path):
    labels = np.arange(256).reshape(16, 16) % 4
    Image.fromarray(labels.astype(np.uint8)).save(tmp_path / "a.png")
    Image.fromarray((labels > 2).astype(np.uint8)).save(tmp_path / "b.png")
    files = find_micrographs(tmp_path)
    with pytest.raises(InputError, match=r"scale=image.* Received: .*a\.png and others without a pixel above 3\."):
        micrograph_patches(files, 16)
    assert_allclose(array(micrograph_patches(files[:1], 16, scale="image"))[0, ..., 0], labels / 3, rtol=1e-6)
    write(tmp_path / "c.png", (16, 16))
    assert_allclose(array(micrograph_patches(find_micrographs(tmp_path), 16))[0, ..., 0], labels / 255, rtol=1e-6)


def test_wide_integer_types(tmp_path):
    pixels = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257
    Image.fromarray(pixels).save(tmp_path / "a.png")
    patches = array(micrograph_patches(find_micrographs(tmp_path), 16, scale="type"))
    assert_allclose(patches[0, ..., 0], pixels / 65535, rtol=1e-6)


def test_channels(tmp_path):
    colour = write(tmp_path / "a.png", (16, 16, 3))
    grey = write(tmp_path / "b.png", (16, 16))
    files = find_micrographs(tmp_path, channels=1)
    patches = array(micrograph_patches(files, 16))
    assert_allclose(patches[0, ..., 0], colour @ [0.299, 0.587, 0.114] / 255, rtol=1e-5)
    assert_array_equal(patches[1, ..., 0], grey / np.float32(255))
    patches = array(micrograph_patches(files, 16, channels=3))
    assert_array_equal(patches[0], colour / np.float32(255))
    assert_array_equal(patches[1], np.repeat(grey[:, :, None], 3, axis=2) / np.float32(255))


def test_random_crops_follow_the_seed_and_the_pass(tmp_path):
    pixels = {}
    for index in range(3):
        pixels[index] = write(tmp_path / f"{index}.png", (24, 30), seed=index) / np.float32(255)
    files = find_micrographs(tmp_path)

    def crops(**options):
        return micrograph_patches(files, 8, per_image=5, **options)

    patches = crops(seed=3)
    first, second = array(patches), array(patches)
    assert first.shape == (15, 8, 8, 1)
    assert not np.array_equal(first, second)
    again = crops(seed=3)
    assert_array_equal(array(again), first)
    assert_array_equal(array(again), second)
    assert_array_equal(array(crops(seed=3, first_epoch=1)), second)
    assert not np.array_equal(array(crops(seed=4)), first)
    for index, patch in enumerate(first[..., 0]):
        windows = np.lib.stride_tricks.sliding_window_view(pixels[index // 5], (8, 8))
        assert (windows == patch).all(axis=(2, 3)).any()


def test_every_place_of_an_image_can_be_cropped(tmp_path):
    Image.fromarray(np.arange(16, dtype=np.uint8).reshape(4, 4)).save(tmp_path / "a.png")
    patches = array(micrograph_patches(find_micrographs(tmp_path), 2, per_image=400))
    corners, counts = np.unique(np.round(patches[:, 0, 0, 0] * 255), return_counts=True)
    assert_array_equal(corners, [0, 1, 2, 4, 5, 6, 8, 9, 10])
    assert counts.min() > 20


def test_augmentations_are_the_symmetries_they_name(tmp_path):
    pixels = write(tmp_path / "a.png", (6, 6)) / np.float32(255)
    files = find_micrographs(tmp_path)

    def seen(*augment):
        patches = array(micrograph_patches([*files] * 200, 6, augment=augment, seed=5))[..., 0]
        return {patch.tobytes() for patch in patches}

    turned = {np.ascontiguousarray(np.rot90(pixels, turns)).tobytes() for turns in range(4)}
    assert seen("flip_x") == {pixels.tobytes(), pixels[:, ::-1].tobytes()}
    assert seen("flip_y") == {pixels.tobytes(), pixels[::-1].tobytes()}
    assert seen("quarter_turns") == turned
    assert len(seen("flip_x", "flip_y", "quarter_turns")) == 8


def test_small_images_are_skipped(tmp_path):
    write(tmp_path / "a.png", (20, 30))
    write(tmp_path / "b.png", (7, 30))
    files = find_micrographs(tmp_path)
    count = patch_count(files, 8)
    assert count.total == micrograph_patches(files, 8).cardinality() == 6
    assert [item.path.name for item in count.skipped] == ["b.png"]
    assert patch_count(files, 8, stride=4).total == 4 * 6
    assert patch_count(files, 8, per_image=9).total == 9
    with pytest.raises(InputError, match=r"A patch of 64 x 64 .* Received: .*a\.png with 20 x 30 pixels"):
        micrograph_patches(files, 64)


def test_images_without_room_for_a_patch_are_refused(tmp_path):
    write(tmp_path / "a.png", (20, 30))
    write(tmp_path / "b.png", (7, 30))
    files = find_micrographs(tmp_path)
    kept = large_enough(files, 8)
    assert [item.path.name for item in kept] == ["a.png"]
    assert [item.path.name for item in kept.refused] == ["b.png"]
    assert "8 x 8 pixels must fit into an image. Received" in kept.refused[0].reason
    assert large_enough(files, 7) == files
    with pytest.raises(InputError, match=r"every image with strict.*Received: .*b\.png with 7 x 30"):
        large_enough(files, 8, strict=True)
    with pytest.raises(
        InputError, match=r"at least one image.*a\.png with 20 x 30 pixels above the data bar as the la"
    ):
        large_enough(files, 64)


def test_pages_and_the_data_bar(tmp_path):
    stack = np.random.default_rng(0).integers(0, 255, (3, 16, 16), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack")
    files = find_micrographs(tmp_path)
    assert_array_equal(array(micrograph_patches(files, 16))[..., 0], stack / np.float32(255))
    cropped = [dataclasses.replace(item, data_bar=8, height=8) for item in files]
    patches = array(micrograph_patches(cropped, 8))
    assert_array_equal(
        patches[..., 0], stack[:, :8].reshape(3, 8, 2, 8).swapaxes(1, 2).reshape(6, 8, 8) / np.float32(255)
    )


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_a_file_that_changed_or_vanished_is_named(tmp_path, name):
    write(tmp_path / name, (16, 16))
    patches = micrograph_patches(find_micrographs(tmp_path), 16)
    contents = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(contents[: len(contents) // 2])
    with pytest.raises(tf.errors.OpError, match=name):
        array(patches)
    (tmp_path / name).unlink()
    with pytest.raises(tf.errors.OpError, match=name):
        array(patches)


def test_owners_of_patches(tmp_path):
    for index in range(4):
        write(tmp_path / f"{index}.png", (32, 32), index)
    files = find_micrographs(tmp_path)
    assert_array_equal(patch_owners(files, 16), np.repeat(np.arange(4), 4))
    assert_array_equal(patch_owners(files, 16, stride=8), np.repeat(np.arange(4), 9))
    assert_array_equal(patch_owners(files, 16, per_image=3), np.repeat(np.arange(4), 3))
    twice = Micrographs([files[0], files[1], files[0]])
    assert_array_equal(patch_owners(twice, 16), np.repeat([0, 1, 0], 4))


def test_options_out_of_range(tmp_path):
    write(tmp_path / "a.png")
    files = find_micrographs(tmp_path)
    for options, message in (
        ({"size": 0}, "size is a whole number of at least 1. Received: 0."),
        ({"stride": 0}, "stride is a whole number of at least 1. Received: 0."),
        ({"stride": 2, "per_image": 2}, "Received: stride=2 and per_image=2."),
        ({"scale": "max"}, "scale must be 'auto', 'image' or 'type'. Received: 'max'."),
        ({"augment": "flip_x"}, "Received: 'flip_x'."),
        ({"augment": ["turn"]}, "Received: ['turn']."),
        ({"channels": 2}, "Received: 2."),
    ):
        with pytest.raises(InputError) as error:
            micrograph_patches(files, **{"size": 8, **options})
        assert message in str(error.value)
    with pytest.raises(InputError, match=r"at least one micrograph\. Received: none"):
        micrograph_patches([])
