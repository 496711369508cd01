import json
import re

import numpy as np
import pytest
from PIL import Image

import kmatgen as kg
from kmatgen.cli import main
from kmatgen.data.micrographs import Micrographs
from kmatgen.evaluation import open_judge
from kmatgen.evaluation.compare import compare_models, comparison_text
from kmatgen.evaluation.inputs import draw_samples, open_real
from tests.cli.test_cli import fails, in_tmp  # noqa: F401
from tests.evaluation.test_evaluate import TEST, TRAIN, blobs

METRICS = ["two_point", "phase_fraction", "chord_length", "grain_size", "memorisation"]


@pytest.fixture
def folder(tmp_path):
    """Four images of four patches each, of discs whose size is that of the image."""
    folder = tmp_path / "micrographs"
    folder.mkdir()
    for index, radius in enumerate((5, 5.5, 6, 6.5)):
        tiles = blobs(4, radius, index)[..., 0]
        image = np.concatenate([np.concatenate(tiles[:2], axis=1), np.concatenate(tiles[2:], axis=1)])
        Image.fromarray(np.uint8(255 * image)).save(folder / f"{index}.png")
    return folder


def test_a_comparison_is_one_table_and_one_page(tmp_path):
    samples = {"near": blobs(24, 6, 7), "far": blobs(24, 4, 8)}
    tables, page = compare_models(samples, (TRAIN, TEST), tmp_path / "out", METRICS)
    assert tables["far"]["two_point"].value > tables["near"]["two_point"].value
    text = comparison_text(tables)
    assert re.search(r"two_point +[\d.]+ +[\d.]+ .+ [\d.]+ .* x the floor", text)
    content = json.loads((tmp_path / "out/evaluation.json").read_text())
    assert content["far"]["scores"]["two_point"]["value"] == tables["far"]["two_point"].value
    html = page.read_text()
    # Samples of three, four figures, closest pairs of two.
    assert html.count("data:image/png;base64,") == 3 + 4 + 2
    assert not re.search(r'(src|href)="(?!data:)', html)
    again, _ = compare_models(samples, (TRAIN, TEST), tmp_path / "out", METRICS)
    assert again["near"].to_dict() == tables["near"].to_dict()


def test_copies_of_training_samples_are_found():
    copies = np.concatenate([TRAIN[:10], blobs(20, 6, 11)])
    judge = open_judge((TRAIN, TEST), like=copies)
    score = judge.evaluate(copies, kg.evaluation.get_metrics("memorisation"))["memorisation"]
    assert score.value >= 1 / 3
    assert score.value > score.floor_range[1]
    assert score.baselines == {"training images": 1.0, "shuffled pixels": 0.0}
    assert judge.nearest(copies).copies == 10
    assert score.verdict == "failed: 10 near copies of training samples"
    fresh = judge.evaluate(blobs(30, 6, 12), kg.evaluation.get_metrics("memorisation"))["memorisation"]
    assert fresh.value <= fresh.floor_range[1]
    assert fresh.verdict.startswith("passed")


def test_memorisation_needs_the_training_samples():
    table = kg.evaluate(TEST, TRAIN, "memorisation")
    assert "needs the samples that the model was trained on" in table["memorisation"].reason


def test_patches_carry_their_image(folder):
    real = open_real(folder, 16, seed=0)
    assert sorted(np.bincount(np.concatenate([real.held_out_groups, real.others_groups]))) == [4, 4, 4, 4]
    assert not set(real.held_out_groups) & set(real.others_groups)
    files = kg.data.find_micrographs(folder)
    from kmatgen.data.patches import patch_owners

    np.testing.assert_array_equal(patch_owners(files, 16), np.repeat(np.arange(4), 4))
    np.testing.assert_array_equal(patch_owners(files, 16, stride=8), np.repeat(np.arange(4), 9))
    np.testing.assert_array_equal(patch_owners(files, 16, per_image=3), np.repeat(np.arange(4), 3))
    twice = Micrographs([files[0], files[1], files[0]])
    np.testing.assert_array_equal(patch_owners(twice, 16), np.repeat([0, 1, 0], 4))


def test_samples_from_files(tmp_path, folder):
    np.savez(tmp_path / "samples.npz", samples=TEST)
    np.save(tmp_path / "samples.npy", TEST[..., 0])
    for path in (tmp_path / "samples.npz", tmp_path / "samples.npy"):
        np.testing.assert_array_equal(draw_samples(path, 100, 0), TEST)
    assert draw_samples(tmp_path / "samples.npz", 5, 0).shape == (5, 16, 16, 1)
    assert draw_samples(folder, 3, 0).shape == (3, 32, 32, 1)
    with pytest.raises(kg.InputError, match="run, of a SavedModel or of images"):
        draw_samples(tmp_path / "gone", 3, 0)
    np.savez(tmp_path / "other.npz", x=TEST)
    with pytest.raises(kg.InputError, match="has the entry 'samples'"):
        draw_samples(tmp_path / "other.npz", 3, 0)


def test_the_command_line(capsys, tmp_path, folder):
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
