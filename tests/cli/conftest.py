import pytest


@pytest.fixture(autouse=True)
def in_tmp(tmp_path, monkeypatch):
    """Commands write beside where they are called."""
    monkeypatch.chdir(tmp_path)
