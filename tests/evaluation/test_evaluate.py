import hashlib
import json
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import wasserstein_distance

import kmatgen as kg
import kmatgen.evaluation.physical
from kmatgen.data.opened import opened
from kmatgen.evaluation import Effort, Judge, Metric, Settings, evaluate, view
from kmatgen.evaluation.cache import Cache
from kmatgen.evaluation.inputs import Real
from kmatgen.evaluation.metric import get_metrics
from kmatgen.evaluation.physical import rms_of_means
from kmatgen.evaluation.resampling import some_of_each
from kmatgen.evaluation.table import Score
from kmatgen.evaluation.view import Eye, View, as_samples
from kmatgen.metrics import rms_two_point_error
from tests.evaluation.discs import TEST, TRAIN, blobs


def test_values_are_those_of_the_metrics():
    samples = blobs(40, 5, 3)
    table = evaluate(samples, (TRAIN, TEST), ["two_point", "phase_fraction"], n=100, segment="threshold")
    real, generated = TEST[..., 0] > 0.5, samples[..., 0] > 0.5
    assert_allclose(table["two_point"].value, rms_two_point_error(real, generated, periodic=False))
    fractions = [masks.mean(axis=(1, 2)) for masks in (real, generated)]
    assert_allclose(table["phase_fraction"].value, wasserstein_distance(*fractions))
    assert_allclose(
        [table["phase_fraction"].generated, table["phase_fraction"].real], [fractions[1].mean(), fractions[0].mean()]
    )


def test_other_structures_are_above_the_floor_and_the_same_are_not():
    same, other = (evaluate(blobs(40, radius, 9), (TRAIN, TEST), ["two_point", "kid"]) for radius in (6, 3))
    for name in ("two_point", "kid"):
        assert other[name].value > 3 * max(same[name].value, same[name].floor)
        assert other[name].low <= other[name].value <= other[name].high
        assert other[name].value > other[name].floor_range[1]
        assert other[name].baselines["training images"] < other[name].value
    assert same["two_point"].low < same["two_point"].floor_range[1]
    assert other["two_point"].verdict.endswith("x the floor")


def test_copies_of_real_samples_are_at_the_floor():
    table = evaluate(TEST, (TRAIN, TEST), ["two_point", "coverage"])
    assert_allclose(table["two_point"].value, 0, atol=1e-12)
    assert table["two_point"].at_floor
    assert table["coverage"].at_floor
    assert table["coverage"].value == 1
    assert "at the floor" in str(table)


def test_shuffled_pixels_keep_the_phases_and_lose_the_structure():
    table = evaluate(blobs(40, 6, 4), (TRAIN, TEST), ["two_point", "phase_fraction", "specific_surface"])
    assert_allclose(table["phase_fraction"].baselines["shuffled pixels"], 0, atol=1e-12)
    assert table["two_point"].baselines["shuffled pixels"] > 3 * table["two_point"].floor
    assert table["specific_surface"].baselines["shuffled pixels"] > 10 * table["specific_surface"].floor


def test_the_floor_falls_with_the_number_of_images_and_repeats():
    small = evaluate(TEST[:20], (TRAIN[:20], TEST[:20]), "two_point")
    large = evaluate(blobs(256, 6, 7), (blobs(300, 6, 5), blobs(300, 6, 6)), "two_point")
    assert large["two_point"].floor < small["two_point"].floor
    again = evaluate(TEST[:20], (TRAIN[:20], TEST[:20]), "two_point")
    assert again.to_dict() == small.to_dict()


def judged(training, held_out, generated, of_an_image, compare, splits):
    """Judge by a metric of brightness, of images of one brightness each; the judge and the score."""
    shades = np.random.default_rng(0).random(training + held_out)
    groups = np.repeat(np.arange(len(shades)), of_an_image)
    samples = np.broadcast_to(shades[groups, None, None, None], (len(groups), 16, 16, 1)).astype(np.float32)
    parts = groups >= held_out
    real = Real(samples[~parts], groups[~parts], samples[parts], groups[parts], True)
    judge = Judge(real, Settings(), 100, Effort(splits=splits), Cache(None))
    mean = Metric("mean", "", lambda view: view.grey.mean(axis=(1, 2)), compare)
    return judge, judge.evaluate(samples[:generated], [mean])["mean"]


@pytest.mark.parametrize("generated", [10, 100])
def test_the_floor_has_sides_as_large_as_those_of_the_value(generated):
    """20 held-out images and 10 or 100 samples, although there are 180 images to train on."""
    judge, score = judged(180, 20, generated, 1, lambda r, g: abs(r.mean() - g.mean()), splits=1000)
    # Of a normal number of deviation s the mean size is s times the root of 2 / pi.
    deviation = np.std(judge.samples[:, 0, 0, 0], ddof=1) * np.sqrt(2 / np.pi)
    assert_allclose(score.floor / deviation, np.sqrt(1 / 20 + 1 / generated), rtol=0.08)


def test_a_floor_of_few_images_has_as_many_patches_of_each():
    """One of 9 images with 12 patches each is held out: so are 12 patches of one image in each split."""
    sides = []
    judged(8, 1, 30, 12, lambda r, g: float(sides.append((len(r), len(np.unique(r)), len(g))) or 0), splits=5)
    # The floors stand before the two baselines.
    assert sides[-7:-2] == [(12, 1, 30)] * 5


def test_some_of_each(rng):
    groups = np.array([7, 3, 3, 5, 5, 5, 7, 3, 5])
    rows = some_of_each(groups, 5, 2, rng)
    assert sorted(groups[rows]) == [3, 3, 5, 5, 7, 7]
    assert list(rows) == sorted(rows)
    assert len(np.unique(groups[some_of_each(groups, 2, 9, rng)])) == 2
    assert len(some_of_each(groups, 3, 9, rng)) == 9


def test_a_metric_that_cannot_be_computed_says_why_and_others_are_there():
    samples = np.random.default_rng(0).random((5, 16, 16, 1))
    table = evaluate(samples, (TRAIN, TEST), ["two_point", "precision"])
    assert table["precision"].value is None
    assert not table["precision"].at_floor
    assert "at least 6 generated samples" in table["precision"].verdict
    assert table["two_point"].value > 0
    assert "cannot be computed: precision takes at least 6 generated samples; ask for more. Received: 5." in str(table)
    constant = evaluate(np.full((20, 16, 16, 1), 0.5), (TRAIN, TEST), ["two_point", "mmd"], features="raw")
    assert "Otsu needs at least 2 grey levels" in constant["two_point"].reason
    assert constant["mmd"].value > 0


def test_one_phase_is_named():
    table = evaluate(np.full((8, 16, 16, 1), 0.2), (TRAIN, TEST), "two_point", segment="threshold")
    assert "Phase 1 has to be in the samples" in table["two_point"].reason


def test_a_few_constant_samples_do_not_stop_the_others():
    generated = TEST.copy()
    generated[1], generated[4] = 0.0, 1.0
    names = ["two_point", "phase_fraction", "specific_surface", "object_size", "grain_size", "intercept", "percolation"]
    table = evaluate(generated, (TRAIN, TEST), names)
    assert [score.name for score in table if score.value is None] == []
    assert f"intercept leaves out 2 of {len(TEST)} generated samples" in str(table)


def test_too_few_held_out_samples_for_a_floor():
    table = evaluate(TEST, (TRAIN[:6], TEST[:6]), "precision")
    assert table["precision"].value is not None
    few = evaluate(TEST, (TRAIN[:2], TEST[:6]), "precision")["precision"]
    assert few.floor is None
    assert "no floor: precision takes at least 6" in few.verdict


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (np.full((4, 16, 16, 1), np.nan), "NaN or infinity.*4 of 4"),
        (np.full((4, 16, 16, 1), 200.0), "in \\[0, 1\\].*200 to 200"),
        (np.zeros((4, 8, 8, 1)), "same size.*\\(8, 8, 1\\) and \\(16, 16, 1\\)"),
        (np.zeros((0, 16, 16, 1)), "Received: shape \\(0, 16"),
        (np.zeros(7), "Received: shape \\(7,\\)"),
        ({"lattice": np.zeros((4, 6))}, "crystals are judged by crystals.*Received: samples with lattice"),
    ],
)
def test_samples_that_cannot_be_compared(samples, words):
    with pytest.raises(kg.InputError, match=words):
        evaluate(samples, (TRAIN, TEST))


def test_an_array_alone_is_split_at_random_and_that_is_said():
    table = evaluate(TEST, TRAIN, "two_point")
    assert any("split at random" in note for note in table.notes)
    assert table.about["real"] == 30
    assert table.about["other_real"] == 30
    assert "other real images" in table["two_point"].baselines
    with pytest.raises(kg.InputError, match="at least 2 images"):
        evaluate(TEST, TRAIN[:1], "two_point")


def test_volumes():
    rng = np.random.default_rng(0)
    volumes = [(rng.random((12, 8, 8, 8)) < share).astype(np.float32) for share in (0.3, 0.3, 0.5)]
    table = evaluate(volumes[2], tuple(volumes[:2]), ["phase_fraction", "two_point", "specific_surface", "kid"])
    assert_allclose(table["phase_fraction"].value, 0.2, atol=0.02)
    assert all(score.value is not None for score in table), str(table)


def test_objects_intercepts_and_percolation():
    samples = blobs(40, 4, 3)
    table = evaluate(samples, (TRAIN, TEST), ["object_size", "intercept", "percolation"], segment="threshold")
    for score, real in zip(table, ("object_size", "intercept", "percolation"), strict=True):
        assert score.value is not None, (real, score.reason)
    # One disc a sample, cut off where it lies at a side.
    assert_allclose(
        table["object_size"].generated, np.mean(2 * np.sqrt((samples > 0.5).sum((1, 2, 3)) / np.pi)), rtol=0.05
    )
    assert table["object_size"].generated < table["object_size"].real
    assert table["percolation"].generated == 0


def test_metrics_of_ones_own_and_settings():
    mean = Metric("mean", "grey level", lambda view: view.grey.mean(axis=(1, 2)), lambda r, g: abs(r.mean() - g.mean()))
    table = evaluate(TRAIN, (TRAIN, TEST), [mean, "kid"], features=lambda x: x.mean(axis=(1, 2)))
    assert_allclose(table["mean"].value, abs(TRAIN.mean() - TEST.mean()), atol=1e-6)
    assert table.about["features"] == "<lambda>"
    in_micrometres = evaluate(TRAIN, (TRAIN, TEST), "specific_surface", pixel_size=0.5)["specific_surface"]
    in_pixels = evaluate(TRAIN, (TRAIN, TEST), "specific_surface")["specific_surface"]
    assert (in_micrometres.unit, in_pixels.unit) == ("1/um", "1/px")
    assert_allclose(in_micrometres.value, 2 * in_pixels.value)


def test_frechet_of_few_samples_is_noted_not_warned():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = evaluate(TRAIN, (TRAIN, TEST), ["frechet", "mmd"])
    assert any("Frechet distance of 40 samples is biased" in note for note in table.notes)
    assert table["frechet"].value > 0


def test_the_table_as_json_and_frame():
    table = evaluate(blobs(20, 5, 3), (TRAIN, TEST), ["two_point", "prdc"])
    content = json.loads(json.dumps(table.to_dict()))
    assert content["scores"]["two_point"]["value"] == table["two_point"].value
    frame = table.to_frame()
    assert list(frame.index) == ["two_point", "precision", "recall", "density", "coverage"]
    assert frame.loc["recall", "baseline_shuffled pixels"] == table["recall"].baselines["shuffled pixels"]


def test_real_samples_are_described_once(tmp_path, monkeypatch):
    counted = []
    real = kg.evaluation.get_metrics("two_point")[0]
    metric = Metric(
        "two_point", "", lambda view: (counted.append(len(view.samples)), real.describe(view))[1], real.compare
    )
    monkeypatch.setattr(kmatgen.evaluation.physical, "PHYSICAL", (metric,))
    first = evaluate(blobs(20, 5, 3), (TRAIN, TEST), metric, cache=tmp_path)
    second = evaluate(blobs(20, 5, 3), (TRAIN, TEST), metric, cache=tmp_path)
    assert first.to_dict() == second.to_dict()
    assert counted.count(100) == 1  # training and held-out samples together
    evaluate(blobs(20, 5, 3), (TRAIN[1:], TEST), metric, cache=tmp_path)
    assert counted.count(99) == 1


def test_nothing_is_kept_of_metrics_of_ones_own(tmp_path):
    """Two functions under one name, or under that of a metric here, are not taken for each other."""

    def share_above(level, name):
        return Metric(
            name, "", lambda view: (view.grey > level).mean(axis=(1, 2)), lambda r, g: abs(r.mean() - g.mean())
        )

    generated = np.zeros_like(TEST)
    expected = {0.5: (TEST > 0.5).mean(), -1.0: 0.0}
    for name in ("bright", "two_point"):
        evaluate(generated, (TRAIN, TEST), name if name == "two_point" else "kid", cache=tmp_path)
        for level, share in expected.items():
            table = evaluate(generated, (TRAIN, TEST), share_above(level, name), cache=tmp_path)
            assert_allclose(table[name].value, share, atol=1e-12)
    judge = kg.evaluation.open_judge((TRAIN, TEST), like=generated)
    values = [judge.evaluate(generated, [share_above(level, "bright")])["bright"].value for level in expected]
    assert_allclose(values, list(expected.values()), atol=1e-12)


def test_descriptions_are_kept_by_content(tmp_path, monkeypatch):
    cache, eye, hashed = Cache(tmp_path), Eye(Settings(), TEST), []
    sha256 = hashlib.sha256
    monkeypatch.setattr(view.hashlib, "sha256", lambda start: (hashed.append(start), sha256(start))[1])
    metrics = get_metrics(["phase_fraction", "two_point"])
    for rows in range(1, 8):
        # A view that is gone may leave its place in memory to the next one.
        images = np.zeros((3, 8, 8, 1), np.float32)
        images[:, :rows] = 1.0
        assert_allclose(cache.describe(metrics[0], View(images, eye)).ravel(), np.full(3, rows / 8))
    both = View(TEST, eye)
    hashed.clear()
    for metric in metrics:
        cache.describe(metric, both)
    assert hashed.count(repr((TEST.shape, "<f4")).encode()) == 1


@pytest.mark.parametrize(
    ("option", "words"), [("segment", "A segmentation is one of"), ("features", "Features are one")]
)
def test_settings_are_checked_before_anything_is_computed(option, words):
    with pytest.raises(kg.InputError, match=f"{words}.*Received: 'nosuch'"):
        evaluate(TEST, (TRAIN, TEST), "two_point", **{option: "nosuch"})


def test_pixels_have_a_size():
    with pytest.raises(kg.InputError, match=r"pixel_size is above 0.*Received: -0\.5"):
        evaluate(TEST, (TRAIN, TEST), "two_point", pixel_size=-0.5)


def test_metrics_are_named():
    with pytest.raises(kg.InputError, match="a list of names and Metrics. Received: None"):
        evaluate(TEST, (TRAIN, TEST), None)


def test_eight_bits_and_masks(rng):
    masks = rng.random((3, 8, 8)) > 0.5
    for samples in (masks, masks.astype(np.uint8), np.uint8(255) * masks):
        assert_array_equal(as_samples("generated", samples), masks[..., None].astype(np.float32))
    assert_array_equal(as_samples("generated", np.uint8(51) * masks), masks[..., None] * np.float32(0.2))


@pytest.mark.parametrize(("value", "passed", "good"), [(0.03, True, True), (0.0, False, False), (0.0, None, True)])
def test_a_test_that_is_passed_is_good(value, passed, good):
    assert Score("memorisation", "share", value=value, floor=0.01, passed=passed).good == good


def test_memorisation_is_a_test_that_is_passed_or_not():
    table = evaluate(TRAIN[:40], (TRAIN, TEST), ["memorisation"])
    assert table["memorisation"].passed is False
    assert table["memorisation"].verdict.startswith("failed")


def test_metrics_are_themselves_whatever_they_are_made_of():
    """One with bounds in a list, which has no hash, is as good as any."""
    mean = Metric("mean", "", lambda view: view.grey.mean(axis=(1, 2)), rms_of_means, bounds=[0, 1])
    assert evaluate(TEST, (TRAIN, TEST), mean)["mean"].value == 0.0


def test_samples_of_a_source_without_groups_are_images_of_their_own():
    """As synthetic ones are: nothing to warn of."""
    source = opened(TRAIN, TEST, {})
    notes = evaluate(TEST, source, "two_point").notes
    assert not any("image of its own" in note for note in notes)
    assert any("image of its own" in note for note in evaluate(TEST, (TRAIN, TEST), "two_point").notes)


@pytest.mark.parametrize(
    ("known", "least", "most", "unit", "words"),
    [
        (8, 0.2, 0.2, "um", None),
        (0, None, None, "px", None),
        (8, 0.2, 1.5, "px", "of different scales: pixels are from 0.2 to 1.5 um wide"),
        (3, 0.2, 0.2, "px", "the pixel size of 3 of 8 images is known"),
    ],
)
def test_images_of_several_scales_are_noted(known, least, most, unit, words):
    """Their lengths are measured in pixels, which mean different things."""
    about = {"images": 8, "pixel_size_um": {"known": known, "min": least, "median": least, "max": most}}
    table = evaluate(TEST, opened(TRAIN, TEST, about), "chord_length")
    assert table["chord_length"].unit == unit
    said = [note for note in table.notes if "Lengths are in pixels" in note]
    assert len(said) == (words is not None)
    assert words is None or words in said[0]
