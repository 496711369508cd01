import io

import pytest

from kmatgen.cli.startup import verbosity


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("stream", "verbose"), [(Terminal(), "auto"), (io.StringIO(), 2)])
def test_a_moving_bar_is_for_terminals(monkeypatch, stream, verbose):
    monkeypatch.setattr("sys.stdout", stream)
    assert verbosity() == verbose
