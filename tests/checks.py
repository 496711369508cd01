"""The contracts: what every model promises, written once and run over the table of models.

A new model is one row in `MODELS`; `tests/models/test_contracts.py` runs all contracts over all rows.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg

SHAPE = (16, 16, 1)


class Case(NamedTuple):
    """One row: how to make a model, and how to compile it."""

    make: Callable[[], kg.GenerativeModel]
    compile: dict
    # The same model without noise and batch statistics, so that replicas can be compared with one device.
    make_quiet: Callable[[], kg.GenerativeModel]
    optimizers: tuple[str, ...] = ("optimizer",)


def conv_networks(variational):
    return {
        "encoder": kg.networks.conv_encoder(SHAPE, 3, (4, 8), variational=variational),
        "decoder": kg.networks.conv_decoder(SHAPE, 3, (8, 4)),
    }


def quiet_networks(variational):
    image = keras.Input(SHAPE, name="image")
    flat = keras.layers.Flatten()(image)
    outputs = keras.layers.Dense(3, dtype="float32", name="mean")(flat)
    if variational:
        # A variance of exp(-60): the noise is far below float32's resolution.
        bias = keras.initializers.Constant(-60.0)
        log_var = keras.layers.Dense(3, kernel_initializer="zeros", bias_initializer=bias, dtype="float32")(flat)
        outputs = {"mean": outputs, "log_var": log_var}
    latent = keras.Input((3,), name="latent")
    scores = keras.layers.Dense(256, dtype="float32")(latent)
    return {
        "encoder": keras.Model(image, outputs),
        "decoder": keras.Model(latent, keras.layers.Reshape(SHAPE, dtype="float32")(scores)),
    }


MODELS = {
    "vae": Case(
        lambda: kg.VAE(**conv_networks(True), seed=0),
        {"kl_weight": kg.schedules.LinearWarmup(0.1, 6), "kl_reduction": "sum"},
        lambda: kg.VAE(**quiet_networks(True), seed=0),
    ),
    "autoencoder": Case(
        lambda: kg.Autoencoder(**conv_networks(False), output_activation="linear", seed=0),
        {"reconstruction": "mean_squared_error"},
        lambda: kg.Autoencoder(**quiet_networks(False), seed=0),
    ),
}


def two_replicas():
    """Two logical devices; without collectives, whose keys clash between the strategies of one process."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice())


def images(n=32):
    return np.random.default_rng(1).random((n, *SHAPE), np.float32)


def batched(n=32, batch_size=8):
    return tf.data.Dataset.from_tensor_slices(images(n)).batch(batch_size)


def compiled(case, **more):
    model = case.make()
    model.compile(**{**case.compile, **more})
    return model


def state_of(model):
    """All numbers a training step can change."""
    variables = [*model.variables]
    for name in ("optimizer", "g_optimizer", "d_optimizer"):
        optimizer = getattr(model, name, None)
        variables += optimizer.variables if optimizer is not None else []
    metrics = {id(variable) for metric in model.metrics for variable in metric.variables}
    return [np.asarray(variable) for variable in variables if id(variable) not in metrics]


def assert_same_state(first, second):
    for one, other in zip(state_of(first), state_of(second), strict=True):
        assert_array_equal(one, other)


def check_fit(case, tmp_path):
    """The everyday workflow: fit, validation, stock callbacks, evaluate, predict."""
    model = compiled(case)
    callbacks = [
        keras.callbacks.EarlyStopping(monitor="val_loss", patience=5),
        keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", monitor="val_loss", save_best_only=True),
        keras.callbacks.LearningRateScheduler(lambda epoch: 1e-3 / (epoch + 1)),
    ]
    history = model.fit(batched(), epochs=2, validation_data=batched(16), callbacks=callbacks, verbose=0).history
    assert int(model.optimizer.iterations) == 8
    assert_allclose(float(model.optimizer.learning_rate), 5e-4, rtol=1e-6)
    names = {metric.name for metric in model.metrics}
    assert set(history) == names | {f"val_{name}" for name in names} | {"learning_rate"}
    assert all(np.isfinite(values).all() for values in history.values())

    first = model.evaluate(batched(20), verbose=0, return_dict=True)
    second = model.evaluate(batched(20), verbose=0, return_dict=True)
    assert first == second
    assert model.predict(images(5), verbose=0).shape == (5, *SHAPE)
    assert (tmp_path / "best.keras").is_file()


def check_config(case):
    """Every argument of `__init__` and of `compile` survives."""
    model = compiled(case)
    again = type(model).from_config(model.get_config())
    assert json.dumps(again.get_config(), default=str) == json.dumps(model.get_config(), default=str)
    again.compile_from_config(model.get_compile_config())
    assert again.get_compile_config() == model.get_compile_config()
    missing = _arguments(type(model).__init__) - set(model.get_config())
    assert missing == set()
    assert _arguments(type(model).compile) - set(model.get_compile_config()) == set()


def _arguments(function):
    code = function.__code__
    return set(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]) - {"self"}


def check_resume_from_file(case, tmp_path):
    """2 epochs, save, load, 2 epochs equal 4 epochs, bit for bit."""
    whole, half = compiled(case), compiled(case)
    half.set_weights(whole.get_weights())
    whole.fit(batched(), epochs=4, verbose=0)
    half.fit(batched(), epochs=2, verbose=0)
    half.save(tmp_path / "half.keras")
    loaded = kg.load_model(tmp_path / "half.keras")
    assert int(loaded.optimizer.iterations) == 8
    loaded.fit(batched(), epochs=4, initial_epoch=2, verbose=0)
    assert_same_state(loaded, whole)


def check_resume_from_backup(case, tmp_path):
    """The same through BackupAndRestore after an interruption, into a model made anew."""
    whole, half = compiled(case), compiled(case)
    start = whole.get_weights()
    half.set_weights(start)
    whole.fit(batched(), epochs=4, verbose=0)

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    try:
        half.fit(batched(), epochs=4, callbacks=[backup, Stop()], verbose=0)
    except KeyboardInterrupt:
        pass
    fresh = compiled(case)
    again = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    fresh.fit(batched(), epochs=4, callbacks=[again], verbose=0)
    assert_same_state(fresh, whole)


def check_steps_per_execution(case):
    """Several steps in one execution change the numbers of none."""
    one, four = compiled(case), compiled(case, steps_per_execution=4)
    four.set_weights(one.get_weights())
    one.fit(batched(), epochs=1, verbose=0)
    four.fit(batched(), epochs=1, verbose=0)
    assert int(four.optimizer.iterations) == 4
    for left, right in zip(one.get_weights(), four.get_weights(), strict=True):
        assert_allclose(left, right, rtol=2e-5, atol=2e-6)


def check_precision(case, policy):
    """Half precision trains, keeps its variables and its outputs in float32."""
    keras.config.set_dtype_policy(policy)
    model = compiled(case)
    history = model.fit(batched(), epochs=2, verbose=0).history
    assert all(np.isfinite(values).all() for values in history.values())
    scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (policy == "mixed_float16")
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert model.decode_latent(model.draw_latent(2, tf.constant([0, 0]))).dtype == tf.float32


def check_sgd_update(case, policy, tolerance):
    """With SGD, which shows a missing loss scale, one step in half precision equals float32's."""
    updates = {}
    for name in ("float32", policy):
        keras.config.set_dtype_policy(name)
        model = case.make_quiet()
        keras.utils.set_random_seed(3)
        model.set_weights(
            [np.random.default_rng(0).normal(0, 0.05, w.shape) if w.ndim > 1 else w for w in model.get_weights()]
        )
        model.compile(**{role: keras.optimizers.SGD(1.0) for role in case.optimizers})
        before = model.get_weights()
        model.fit(batched(8), epochs=1, verbose=0)
        updates[name] = [after - start for after, start in zip(model.get_weights(), before, strict=True)]
    for exact, half in zip(updates["float32"], updates[policy], strict=True):
        scale = np.abs(exact).max() + 1e-12
        assert_allclose(half / scale, exact / scale, atol=tolerance)


def check_replicas(case):
    """Two replicas make the update that one device makes on the same global batch."""
    sgd = {role: "sgd" for role in case.optimizers}
    alone = case.make_quiet()
    alone.compile(**sgd)
    strategy = two_replicas()
    with strategy.scope():
        together = case.make_quiet()
        together.compile(**sgd)
    together.set_weights(alone.get_weights())
    logs_alone = alone.fit(batched(), epochs=2, verbose=0).history
    logs_together = together.fit(batched(), epochs=2, verbose=0).history
    for one, other in zip(alone.get_weights(), together.get_weights(), strict=True):
        assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert_allclose(logs_together["loss"], logs_alone["loss"], rtol=1e-5)


def check_replica_noise(case):
    """Each replica draws noise of its own."""
    strategy = two_replicas()
    with strategy.scope():
        model = compiled(case)
    per_replica = strategy.run(lambda: tf.random.stateless_normal((4,), model.next_seed()))
    first, second = strategy.experimental_local_results(per_replica)
    assert np.abs(first.numpy() - second.numpy()).min() > 1e-6


_SERVE = """
import json, sys
sys.modules["kmatgen"] = None
import numpy as np, tensorflow as tf
loaded = tf.saved_model.load(sys.argv[1])
signatures = loaded.signatures
answer = {"names": sorted(signatures)}
if "sample" in signatures:
    outputs = signatures["sample"](n=tf.constant(5), seed=tf.constant(3))
else:
    outputs = signatures["serving_default"](latent=tf.zeros((5, 3)))
answer["sample"] = outputs["sample"].numpy().tolist()
answer["dtype"] = outputs["sample"].dtype.name
print(json.dumps(answer))
"""


def check_export(case, tmp_path):
    """The export answers in a process where kmatgen cannot be imported, with the model's own samples."""
    model = compiled(case)
    model.fit(batched(), epochs=1, verbose=0)
    model.export(tmp_path / "export")
    answer = _in_new_process(_SERVE, tmp_path / "export")
    assert answer["names"] == sorted(model.signatures())
    assert answer["dtype"] == "float32"
    expected = model.generate(5, seed=3) if model.HAS_PRIOR else model.decode(np.zeros((5, 3)))
    assert_allclose(answer["sample"], expected, rtol=1e-4, atol=1e-5)


def _in_new_process(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])
