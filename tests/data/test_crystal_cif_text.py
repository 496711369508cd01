"""Text of CIFs: blocks of one name, and what programs leave at the end of a file."""

import pytest

from kmatgen.data.crystal_cif import cells_of_cif
from kmatgen.data.crystal_cif_text import cif_blocks
from tests.data.cifs import cif, plain


def test_files_strung_together():
    first, second, third = cells_of_cif("\n".join([plain(a=4), plain(a=5), plain(a=6)]), 128)
    assert [cell.name for cell in (first, second, third)] == ["NaCl", "NaCl_2", "NaCl_3"]
    assert [cell.lattice[0] for cell in (first, second, third)] == [4, 5, 6]


def test_a_tag_given_twice_is_still_an_error():
    twice = cif().replace("_cell_length_b", "_cell_length_a 5.64\n_cell_length_b")
    with pytest.raises(RuntimeError, match="duplicate tag _cell_length_a"):
        cif_blocks(twice + cif())


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", ["", "\x1a", "\x1a\x1a"])
def test_ends_of_lines_and_files(end, last):
    (cell,) = cells_of_cif((cif().replace("\n", end) + last).encode(), 128)
    assert len(cell.numbers) == 8
