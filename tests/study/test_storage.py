import os

import pytest

from kmatgen.errors import InputError
from kmatgen.study.storage import is_alive, machine
from kmatgen.study.store import StudyStore


@pytest.mark.parametrize(
    "url", ["nonsense", "postgresql+nodriver://me:secret@nowhere/x", "sqlite:////no/such/folder/x.db"]
)
def test_a_storage_that_cannot_be_reached_is_refused_without_its_password(url):
    with pytest.raises(InputError, match="Received: ") as caught:
        StudyStore(url, "study")
    assert "secret" not in str(caught.value)


def test_machine_and_life():
    assert machine() == machine()
    assert is_alive(os.getpid())


@pytest.mark.skipif(not os.path.exists("/proc/self/comm"), reason="only Linux names processes so")
def test_a_process_whose_name_is_no_text_is_alive():
    with open("/proc/self/comm", "r+b") as file:
        before = file.read()
        file.write(b"k\xffm) Z")
    try:
        assert is_alive(os.getpid())
    finally:
        with open("/proc/self/comm", "wb") as file:
            file.write(before.strip())
