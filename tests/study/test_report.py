import numpy as np
import pandas as pd
from numpy.testing import assert_allclose
from PIL import Image

from kmatgen import presets
from kmatgen.study.report import Interval, interval, member_table, write_study_report
from kmatgen.study.store import Record, State


def test_interval_against_hand_worked_values():
    # t(0.975, 2 degrees of freedom) = 4.302653; standard deviation 1, n = 3: 4.302653 / sqrt(3).
    assert_allclose(interval([1.0, 2.0, 3.0])[:2], [2.0, 2.484138], rtol=1e-6)
    # t(0.975, 1) = 12.706205; standard deviation sqrt(2) / 2 * 0.2, n = 2: 12.706205 * 0.1.
    assert_allclose(interval([0.1, 0.3])[:2], [0.2, 1.2706205], rtol=1e-6)
    assert interval([0.25]) == Interval(0.25, None, 1)
    assert str(interval([0.25])) == "0.25 (n=1)"
    assert str(Interval(0.43124, 0.00213, 3)) == "0.4312 ± 0.0021"
    assert str(Interval(123.4, 25.0, 3)) == "123 ± 25"
    assert str(Interval(0.5, 0.0, 2)) == "0.5 ± 0"


def finished(label, seed, loss):
    notes = {
        "losses": {"loss": loss, "val_loss": loss + 0.1, "val_kl_weight": 0.012},
        "floors": {"val_reconstruction_loss": 0.05},
        "parameters": 1234,
        "epochs": 2,
        "seconds": 10.0 + seed,
        "resumed": seed == 1,
        "run": "somewhere",
    }
    return Record(f"latent_dim={label},seed={seed}", State.FINISHED, seed, {"latent_dim": label}, seed, notes)


def test_report_of_finished_and_failed_members(tmp_path, rng):
    failed = Record(
        "latent_dim=4,seed=0", State.FAILED, 3, {"latent_dim": "4"}, 0, {"error": "Traceback\nOops: <no>\n"}
    )
    records = [finished("2", 0, 1.0), finished("2", 1, 2.0), finished("2", 2, 3.0), failed]
    for record in records[:3]:
        folder = tmp_path / "members" / record.name
        folder.mkdir(parents=True)
        pd.DataFrame({"loss": [4.0, 1.0], "val_loss": [5.0, 2.0]}).to_csv(folder / "history.csv", index=False)
        # Noise cannot be compressed: 4 MB each, far more than a page may have.
        for name in ("samples.png", "reconstructions.png"):
            Image.fromarray(rng.integers(0, 256, (1200, 1200, 3), np.uint8)).save(folder / name)
    page = write_study_report(tmp_path, records, presets.resolve("vae"))
    html = page.read_text(encoding="utf-8")
    assert page.stat().st_size < 15e6
    assert html.count("data:image/jpeg") == 6
    # Seed 1 was resumed and does not know its whole time: the mean of 10 and 12 seconds.
    for expected in (
        "2.0 ± 2.5",
        "2.1 ± 2.5",
        "3 of 3",
        "0 of 1",
        "1,234",
        "11.0",
        "Oops: &lt;no&gt;",
        "3 finished, 1 failed",
    ):
        assert expected in html
    assert "val_kl_weight</th>" not in html
    table = pd.read_csv(tmp_path / "study.csv")
    assert table["member"].tolist() == [record.name for record in records]
    assert table["error"].tolist()[3] == "Oops: <no>"
    assert table["loss"].tolist()[:3] == [1.0, 2.0, 3.0]


def test_a_factor_with_the_name_of_a_loss_keeps_its_column():
    record = finished("2", 0, 1.0)._replace(labels={"loss": "hinge"})
    table = member_table([record])
    assert (table["loss"][0], table["final_loss"][0], table["val_loss"][0]) == ("hinge", 1.0, 1.1)


def test_report_where_nothing_finished(tmp_path):
    record = Record("latent_dim=4,seed=0", State.FAILED, 0, {"latent_dim": "4"}, 0, {"error": "Oops"})
    assert "0 of 1" in write_study_report(tmp_path, [record], presets.resolve("vae")).read_text(encoding="utf-8")
    assert member_table([record])["state"].tolist() == ["failed"]


def test_a_gan_is_reported_by_the_losses_of_both_sides(tmp_path):
    losses = {"g_loss": 0.7, "d_loss": 1.3, "val_g_loss": 0.75, "val_d_loss": 1.35, "val_d_real": 0.5}
    record = finished("2", 0, 1.0)
    record.notes["losses"] = losses
    folder = tmp_path / "members" / record.name
    folder.mkdir(parents=True)
    pd.DataFrame({name: [2.0, value] for name, value in losses.items()}).to_csv(folder / "history.csv", index=False)
    html = write_study_report(tmp_path, [record], presets.resolve("dcgan_64")).read_text(encoding="utf-8")
    for expected in ("val_g_loss</th>", "val_d_loss</th>", "0.75 (n=1)", ">0.75</td>", "The discriminator&#39;s loss"):
        assert expected in html
    assert "val_d_real</th>" not in html
    assert {path.name for path in tmp_path.glob("*.png")} == {"g_loss_curves.png", "d_loss_curves.png"}
