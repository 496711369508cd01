import keras
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

import kmatgen as kg
from kmatgen.callbacks import CollapseMonitor
from kmatgen.callbacks import collapse as collapse_module
from kmatgen.callbacks.collapse import discriminator_is_sure, diversity, diversity_lost, losses_exploded, margin_grows
from tests.tiny_models import MODELS, batched, compiled, images


def eager(name, **more):
    """Tracing takes longer than all the steps of these tests."""
    return compiled(MODELS[name], run_eagerly=True, **more)


def of_margins(*margins):
    return [{"d_real": margin, "d_fake": 0.0} for margin in margins]


class TestFindings:
    def test_diversity_by_hand(self):
        # Distances 1, 2 and 3 between three constant images; a dict counts all its values.
        samples = np.array([0.0, 1.0, 3.0])[:, None, None, None] * np.ones((3, 4, 4, 1))
        assert diversity(samples) == pytest.approx(2.0)
        assert diversity({"a": samples, "b": np.zeros((3, 16))}) == pytest.approx(2.0 / np.sqrt(2))
        assert diversity(np.ones((5, 2))) == 0.0

    def test_a_sure_discriminator(self):
        sentence = discriminator_is_sure([{"d_real": 0.97, "d_fake": 0.021}])
        assert sentence == "the discriminator wins, it gives real samples 0.97 and generated ones 0.021"
        assert discriminator_is_sure([{"d_real": 0.97, "d_fake": 0.06}]) is None
        assert discriminator_is_sure([{"d_real": 0.94, "d_fake": 0.01}]) is None
        assert discriminator_is_sure([{}]) is None

    def test_a_growing_margin(self):
        found = margin_grows(of_margins(9.0, 1.0, 1.5, 2.0, 2.5), 3)
        assert found.endswith("its margin between real and generated samples grew from 1 to 2.5 in 3 looks")
        # Energies are lower for real samples.
        assert margin_grows(of_margins(-1.0, -1.5, -2.0, -2.5), 3) is not None
        for margins in [(1.0, 1.5, 2.5), (1.0, 2.0, 1.9, 2.5), (1.0, 1.2, 1.4, 1.6)]:
            assert margin_grows(of_margins(*margins), 3) is None

    def test_lost_diversity(self):
        rows = [{"diversity": value} for value in (0.1, 0.4, 0.09)]
        assert diversity_lost(rows, None) == (
            "diversity is low, generated samples are 0.09 apart, 22% of the 0.4 at best"
        )
        assert diversity_lost(rows[:2], None) is None
        assert diversity_lost(rows[:2], 2.0).endswith("are 0.4 apart, 20% of the 2 real samples are")
        assert diversity_lost(rows, 0.3) is None

    def test_exploding_losses(self):
        rows = [{"g_loss": value, "d_loss": 1.0} for value in (1.0, -2.0, 4.0)]
        assert losses_exploded([*rows, {"g_loss": -199.0, "d_loss": 1.0}], 3) == []
        assert losses_exploded([*rows, {"g_loss": -201.0, "d_loss": 1.0}], 3) == [
            "g_loss explodes, it is -201 after a median size of 2"
        ]
        assert losses_exploded([*rows[1:], {"g_loss": -201.0}], 3) == []
        assert losses_exploded([{"g_loss": np.nan, "d_loss": np.inf}], 3) == ["g_loss is nan", "d_loss is inf"]


class Fixed(keras.callbacks.Callback):
    """Put given values into the logs of each epoch."""

    def __init__(self, **values):
        super().__init__()
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        logs.update({name: each[epoch] for name, each in self.values.items()})


def watch(model, epochs=3, verbose=0, fixed=None, **options):
    monitor = CollapseMonitor(**{"n": 8, **options})
    callbacks = [Fixed(**(fixed or {})), monitor]
    history = model.fit(batched(8), epochs=epochs, callbacks=callbacks, verbose=verbose).history
    return monitor, history


class TestMonitor:
    def test_logs_of_a_training_without_findings(self):
        model = eager("dcgan")
        monitor, history = watch(model, 2, fixed={"d_real": [0.5, 0.5]})
        assert history["findings"] == [0.0, 0.0]
        assert_allclose(history["diversity"][1], diversity(model.generate(8, seed=0)))
        assert monitor.sentences == []

    def test_a_finding_is_printed_and_stops(self, capsys):
        model = eager("dcgan")
        fixed = {"d_real": [0.5, 0.96, 0.97, 0.98], "d_fake": [0.5, 0.04, 0.03, 0.02]}
        monitor, history = watch(model, 4, verbose=2, fixed=fixed, stop=True, patience=2)
        assert history["findings"] == [0.0, 1.0, 1.0]
        assert monitor.sentences == [
            "Epoch 2: the discriminator wins, it gives real samples 0.96 and generated ones 0.04.",
            "Epoch 3: the discriminator wins, it gives real samples 0.97 and generated ones 0.03.",
            "Training stops: each of the last 2 looks found something.",
        ]
        printed = capsys.readouterr().out
        assert all(f"\n{sentence}\n" in printed for sentence in monitor.sentences)

    def test_without_stop_it_goes_on_and_verbose_0_is_silent(self, capsys):
        fixed = {"d_real": [0.0, 1.0, 2.0, 3.0], "d_fake": [0.0] * 4}
        monitor, history = watch(eager("wgan_gp"), 4, fixed=fixed, patience=2)
        assert history["findings"] == [0.0, 0.0, 1.0, 1.0]
        assert len(monitor.sentences) == 2
        assert capsys.readouterr().out == ""

    def test_a_collapsed_generator(self):
        model = eager("dcgan", g_optimizer=keras.optimizers.SGD(0.0))
        monitor, _ = watch(model, 1, real=0.1 * images(8), fixed={"d_real": [0.5]})
        assert monitor.sentences == []
        for weight in model.generator.trainable_weights:
            weight.assign(weight * 0.0)
        monitor, history = watch(model, 1, real={"image": images(8)}, fixed={"d_real": [0.5]})
        assert history["diversity"] == [0.0]
        expected = diversity(images(8))
        assert monitor.sentences == [
            f"Epoch 1: diversity is low, generated samples are 0 apart, 0% of the {expected:.3g} real samples are."
        ]

    def test_every_third_epoch(self, monkeypatch):
        looks = []
        monkeypatch.setattr(collapse_module, "diversity", lambda samples: float(looks.append(len(samples)) or 1.0))
        model = eager("dcgan")
        _, history = watch(model, 6, n=5, every=3, fixed={"d_real": [0.5] * 6})
        assert looks == [5, 5, 5]
        assert_allclose(history["findings"], [0, np.nan, 0, np.nan, np.nan, 0])

    def test_it_goes_on_from_earlier_logs(self):
        fixed = {"d_real": [0.0, 1.0, 2.0, 3.0], "d_fake": [0.0] * 4}
        history = {**{name: each[:3] for name, each in fixed.items()}, "diversity": [0.01] * 3, "findings": [0.0] * 3}
        earlier = pd.DataFrame(history).to_dict("records")
        monitor = CollapseMonitor(n=8, earlier=earlier)
        callbacks = [Fixed(**fixed), monitor]
        model = eager("wgan_gp")
        again = model.fit(batched(8), epochs=4, initial_epoch=3, callbacks=callbacks, verbose=0).history
        assert again["findings"] == [1.0]
        assert len(monitor.rows) == 4
        assert monitor.sentences[0].startswith("Epoch 4: the discriminator wins, its margin")

    def test_a_conditional_generator(self):
        case = MODELS["acgan"]
        model = eager("acgan")
        history = model.fit(case.batched(8), callbacks=[CollapseMonitor(n=6)], verbose=0).history
        assert_allclose(history["diversity"], [diversity(model.generate(6, np.arange(6) % 4, seed=0))])

    @pytest.mark.parametrize("options", [{"every": 0}, {"n": 1}, {"patience": 0}])
    def test_bad_arguments(self, options):
        name, value = next(iter(options.items()))
        with pytest.raises(kg.InputError, match=f"Received: .*{name}={value}"):
            CollapseMonitor(**options)
