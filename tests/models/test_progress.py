import keras
import numpy as np
import pytest

import kmatgen as kg
from kmatgen.models.progress import Progress, with_progress


@pytest.mark.parametrize("of", ["train", "test"])
def test_the_bar_ends_with_the_epoch(of, capsys):
    """Three groups of four steps, of an epoch that has ten."""
    bar = Progress()
    bar.set_model(keras.Sequential())
    bar.set_params({"verbose": 1, "epochs": 1, "steps": 10})
    bar.on_epoch_begin(0)
    for last in (3, 7, 11):
        getattr(bar, f"on_{of}_batch_end")(last, {"loss": 1.0})
        assert bar.seen == min(last + 1, 10)
    bar.on_epoch_end(0, {"loss": 1.0})
    assert "10/10" in capsys.readouterr().out


def test_a_model_trains_with_it(monkeypatch):
    image, latent = keras.Input((4,)), keras.Input((2,))
    encoder = keras.Model(image, keras.layers.Dense(2)(image))
    model = kg.Autoencoder(encoder, keras.Model(latent, keras.layers.Dense(4)(latent)), seed=0)
    model.compile(steps_per_execution=4)
    seen = []
    monkeypatch.setattr(Progress, "on_epoch_end", lambda self, epoch, logs=None: seen.append(self.seen))
    model.fit(np.full((20, 4), 0.5, np.float32), batch_size=2, verbose=1)
    assert seen == [10]


def test_no_second_bar():
    own = keras.callbacks.ProgbarLogger()
    assert with_progress({"callbacks": [own]})["callbacks"] == [own]
    assert with_progress({"verbose": 0}) == {"verbose": 0}
    stop = keras.callbacks.TerminateOnNaN()
    first, bar = with_progress({"callbacks": stop})["callbacks"]
    assert first is stop
    assert isinstance(bar, Progress)


def test_what_was_not_looked_at_is_not_shown(capsys):
    """Samples are judged every few epochs; the logs of the others hold NaN, which the bar leaves out."""
    image, latent = keras.Input((4,)), keras.Input((2,))
    model = kg.Autoencoder(
        keras.Model(image, keras.layers.Dense(2)(image)), keras.Model(latent, keras.layers.Dense(4)(latent))
    )
    bar = Progress()
    bar.set_model(model)
    bar.set_params({"verbose": 2, "epochs": 1, "steps": 10})
    logs = {"loss": np.nan, "val_loss": 0.25, "val_kid": np.nan, "val_mmd": 0.5}
    bar.on_epoch_begin(0)
    bar.on_epoch_end(0, logs)
    printed = capsys.readouterr().out
    assert "- loss: nan" in printed  # that has to be seen
    assert "val_loss: 0.2500 - val_mmd: 0.5000" in printed
    assert "val_kid" not in printed
    assert np.isnan(logs["val_kid"])  # Keras' own callbacks expect the name
