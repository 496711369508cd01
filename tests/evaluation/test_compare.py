import json
import re

import numpy as np
import pytest
from numpy.testing import assert_allclose

import kmatgen as kg
from kmatgen.evaluation import Metric, open_judge
from kmatgen.evaluation.compare import compare_models, comparison_text
from kmatgen.evaluation.generated import draw_samples
from kmatgen.evaluation.inputs import open_real
from kmatgen.evaluation.statistical import patterns
from tests.evaluation.discs import TEST, TRAIN, blobs, write_discs

METRICS = ["two_point", "phase_fraction", "chord_length", "grain_size", "memorisation"]


GREY = Metric("grey", "difference of mean grey levels", lambda view: view.grey, lambda r, g: abs(r.mean() - g.mean()))


@pytest.fixture
def folder(tmp_path):
    return write_discs(tmp_path / "micrographs")


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
    paler = 0.1 + 0.5 * copies
    assert judge.nearest(paler).copies == 0  # by pixels they are others
    assert judge.nearest(paler, patterns).copies == 10
    score = judge.evaluate(paler, kg.evaluation.get_metrics("memorisation_patterns"))["memorisation_patterns"]
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


@pytest.mark.filterwarnings("error::ResourceWarning")
@pytest.mark.parametrize("name", ["cut.npz", "objects.npz", "objects.npy", "empty.npy"])
def test_files_that_hold_no_samples(tmp_path, name):
    path, objects = tmp_path / name, np.array([[1], [1, 2]], object)
    if path.suffix == ".npz":
        np.savez(path, samples=TEST if name == "cut.npz" else objects)
    else:
        np.save(path, objects)
    if name == "cut.npz":
        path.write_bytes(path.read_bytes()[:-100])
    if name == "empty.npy":
        path.write_bytes(b"")
    with pytest.raises(kg.InputError, match=f"Samples are arrays in an .npy or .npz file: .*{name}"):
        draw_samples(path, 3, 0)


@pytest.mark.parametrize("fractions", [0.25, [0.25] * 6])
def test_what_models_are_asked_for(fractions):
    class Levels:
        """Gives images of the grey level that is asked for."""

        def generate(self, n, condition=None, *, seed):
            return np.broadcast_to(np.reshape(condition, (-1, 1, 1, 1)), (n, 8, 8, 1)).astype(np.float32)

    real = np.full((12, 8, 8, 1), 0.75, np.float32)
    real[:, 0, 0] = 0.5  # Otsu needs two levels
    tables, _ = compare_models({"levels": Levels()}, real, None, [GREY], n=6, condition=fractions)
    assert_allclose(tables["levels"]["grey"].value, real.mean() - 0.25, rtol=1e-6)
    with pytest.raises(kg.InputError, match=r"Only a model is asked for a condition.*Received: 0\.25\."):
        compare_models({"samples": real}, real, None, [GREY], n=6, condition=0.25)
