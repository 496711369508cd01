import numpy as np

from kmatgen.cli import main
from tests.cli.commands import fails
from tests.evaluation.discs import blobs, write_discs


def test_evaluate_and_compare(capsys, tmp_path):
    folder = write_discs(tmp_path / "micrographs")
    np.savez(tmp_path / "a.npz", samples=blobs(20, 6, 3))
    np.savez(tmp_path / "b.npz", samples=blobs(20, 3, 3))
    main(["evaluate", "a.npz", "--data", str(folder), "--metric", "two_point", "--metric", "memorisation"])
    printed = capsys.readouterr().out
    assert "divided by image at random" in printed
    assert "memorisation" in printed
    assert {path.name for path in tmp_path.iterdir()} == {"a.npz", "b.npz", "micrographs"}  # nothing is written
    main(["compare", "a.npz", "b.npz", "--data", str(folder), "--metric", "two_point", "--out", "judged"])
    assert "judged/evaluation.html" in capsys.readouterr().out
    assert "only a run knows its own" in fails(capsys, "evaluate", "a.npz")
    assert "A metric is one of" in fails(capsys, "evaluate", "a.npz", "--data", folder, "--metric", "fid")
    assert "holds other files" in fails(capsys, "compare", "a.npz", "--data", folder, "--out", folder)
