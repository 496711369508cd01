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
