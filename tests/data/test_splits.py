import numpy as np
import pytest
import tifffile

from kmatgen.data.inspection import find_micrographs
from kmatgen.data.micrographs import Micrographs
from kmatgen.data.splits import split_files
from kmatgen.errors import InputError
from tests.data.pictures import write


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
    paths = [tmp_path / f"{index}.png" for index in range(6)]
    for index, path in enumerate(paths):
        write(path, seed=index % 3)
    train, test = split_files(paths, test_fraction=0.01)
    assert isinstance(train, list)
    assert (len(train), len(test)) == (4, 2)
    assert sorted(train + test) == paths
    assert len(split_files([str(path) for path in paths], test_fraction=0.99)[0]) == 2


def test_splits_that_cannot_be(tmp_path):
    paths = [tmp_path / f"{index}.png" for index in range(2)]
    for path in paths:
        write(path)
    with pytest.raises(InputError, match=r"two files that differ\. Received: 2 files, 1 different\."):
        split_files(paths)
    with pytest.raises(InputError, match=r"above 0 and below 1\. Received: 1\.0\."):
        split_files(paths, test_fraction=1.0)
    with pytest.raises(InputError, match=r"none\.png must be a file that can be read\."):
        split_files([*paths, tmp_path / "none.png"])
