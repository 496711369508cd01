import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image, ImageOps

from kmatgen.data.image_pixels import orientation_of, upright


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_as_pillow_turns_them(orientation, tmp_path):
    stored = np.arange(6, dtype=np.uint8).reshape(2, 3)
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(stored).save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as image:
        assert orientation_of(image) == orientation
        assert_array_equal(upright(stored, orientation), np.asarray(ImageOps.exif_transpose(image)))
