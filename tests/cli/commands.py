"""Commands that tests give."""

import pytest

from kmatgen.cli import main


def fails(capsys, *arguments):
    """Run a command that must fail by exit code 2 and one sentence; return the sentence."""
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    assert stop.value.code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert "Traceback" not in "".join(lines)
    return lines[-1]
