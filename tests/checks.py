"""The contracts: what every model promises, written once; each takes a row of `tests.tiny_models.MODELS`."""

import json
import shutil
import subprocess
import sys

import keras
import numpy as np
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

import kmatgen as kg
from tests.tiny_models import compiled, images, two_replicas


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
        keras.callbacks.EarlyStopping(monitor=f"val_{case.loss}", mode="min", patience=5),
        keras.callbacks.ModelCheckpoint(
            tmp_path / "best.keras", monitor=f"val_{case.loss}", mode="min", save_best_only=True
        ),
        keras.callbacks.LearningRateScheduler(lambda epoch: 1e-3 / (epoch + 1)),
    ]
    history = model.fit(
        case.batched(), epochs=2, validation_data=case.batched(16), callbacks=callbacks, verbose=0
    ).history
    assert int(model.optimizer.iterations) == 8
    assert not isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert_allclose(float(model.optimizer.learning_rate), 5e-4, rtol=1e-6)
    names = {metric.name for metric in model.metrics}
    assert names | {"learning_rate", f"val_{case.loss}"} <= set(history)
    assert all(np.isfinite(values).all() for values in history.values())

    first = model.evaluate(case.batched(20), verbose=0, return_dict=True)
    second = model.evaluate(case.batched(20), verbose=0, return_dict=True)
    assert first == second
    predicted = model.predict(inputs_of(model, case, 5), verbose=0)
    wanted = case.data(5)[0] if isinstance(case.data(5), tuple) else case.data(5)
    assert keras.tree.map_structure(np.shape, predicted) == keras.tree.map_structure(np.shape, wanted)
    assert (tmp_path / "best.keras").is_file()


def inputs_of(model, case, n):
    """What `predict` takes: data for models that reconstruct, noise for those that only generate."""
    if hasattr(model, "denoiser"):
        sample, condition = case.data(n)
        parts = {"sample": sample, "condition": condition, "time": np.ones((n,)), "known": np.ones((n,))}
        shaped = {name: parts[name] for name in model.denoiser.input}
        for name in ("time", "known"):
            shaped[name] = shaped[name].reshape((n, *model.denoiser.input[name].shape[1:]))
        return shaped
    if isinstance(getattr(model, "sample_spec", None), dict):
        sample, told = case.data(n)
        return {"sample": sample, "condition": {name: told[name] for name in model.condition_entries}}
    if not hasattr(model, "generator"):
        return images(n)
    noise = np.zeros((n, 3), np.float32)
    if model.condition_spec is None:
        return noise
    condition = case.condition(n)
    return {"noise": noise, "condition": np.zeros((n, 12), np.float32) if condition is None else condition}


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


class AtEpoch(keras.callbacks.Callback):
    """Do something with the model when an epoch begins."""

    def __init__(self, epoch, action):
        super().__init__()
        self.epoch, self.action = epoch, action

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            self.action(self.model)


def check_resume_from_file(case, tmp_path):
    """The file of a model in the middle of training, loaded and trained on, equals the model itself, bit for bit."""
    whole, half = compiled(case), tmp_path / "half.keras"
    whole.fit(case.batched(), epochs=4, callbacks=[AtEpoch(2, lambda model: model.save(half))], verbose=0)
    loaded = kg.load_model(half)
    assert int(loaded.optimizer.iterations) == 8
    loaded.fit(case.batched(), epochs=4, initial_epoch=2, verbose=0)
    assert_same_state(loaded, whole)


def check_resume_from_backup(case, tmp_path):
    """The same through BackupAndRestore: what it wrote until the third epoch, into a model made anew."""
    whole = compiled(case)
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    killed = AtEpoch(2, lambda model: shutil.copytree(tmp_path / "backup", tmp_path / "left"))
    whole.fit(case.batched(), epochs=4, callbacks=[backup, killed], verbose=0)
    fresh = compiled(case)
    again = keras.callbacks.BackupAndRestore(tmp_path / "left")
    fresh.fit(case.batched(), epochs=4, callbacks=[again], verbose=0)
    assert_same_state(fresh, whole)


def check_steps_per_execution(case):
    """Several steps in one execution change the numbers of none."""
    one, four = compiled(case), compiled(case, steps_per_execution=4)
    four.set_weights(one.get_weights())
    one.fit(case.batched(), epochs=1, verbose=0)
    four.fit(case.batched(), epochs=1, verbose=0)
    assert int(four.optimizer.iterations) == 4
    for left, right in zip(one.get_weights(), four.get_weights(), strict=True):
        assert_allclose(left, right, rtol=2e-5, atol=2e-6)


def check_precision(case, policy):
    """Half precision trains, keeps its variables and its outputs in float32."""
    keras.config.set_dtype_policy(policy)
    model = compiled(case)
    history = model.fit(case.batched(), epochs=2, verbose=0).history
    assert all(np.isfinite(values).all() for values in history.values())
    scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (policy == "mixed_float16")
    assert {weight.dtype for weight in model.weights} == {"float32"}
    if model.HAS_PRIOR:
        samples = keras.tree.flatten(model.generate(2, case.condition(2), seed=0))
        assert {values.dtype for values in samples} == {np.dtype(np.float32)}


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
        settings = case.with_sgd(1.0)
        if name == "mixed_float16":
            # The usual first scale of 2^15 may overflow once, and the step would be skipped.
            wrapped = {role: keras.optimizers.LossScaleOptimizer(settings[role], 256.0) for role in case.optimizers}
            settings |= wrapped
        model.compile(**settings)
        before = model.get_weights()
        model.fit(case.batched(8), epochs=1, verbose=0)
        updates[name] = [after - start for after, start in zip(model.get_weights(), before, strict=True)]
    for exact, half in zip(updates["float32"], updates[policy], strict=True):
        scale = np.abs(exact).max() + 1e-12
        assert_allclose(half / scale, exact / scale, atol=tolerance)


def check_replicas(case):
    """Two replicas make the update that one device makes on the same global batch."""
    alone = case.make_quiet()
    alone.compile(**case.with_sgd())
    strategy = two_replicas()
    with strategy.scope():
        together = case.make_quiet()
        together.compile(**case.with_sgd())
    together.set_weights(alone.get_weights())
    logs_alone = alone.fit(case.batched(), epochs=2, verbose=0).history
    logs_together = together.fit(case.batched(), epochs=2, verbose=0).history
    for one, other in zip(alone.get_weights(), together.get_weights(), strict=True):
        assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert_allclose(logs_together[case.loss], logs_alone[case.loss], rtol=1e-4)


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
    _, specs = signatures["sample"].structured_input_signature
    given = {"condition": tf.range(5) % 4} if "condition" in specs else {}
    given |= {"steps": tf.constant(3)} if "steps" in specs else {}
    outputs = signatures["sample"](n=tf.constant(5), seed=tf.constant(3), **given)
else:
    outputs = signatures["serving_default"](latent=tf.zeros((5, 3)))
answer["outputs"] = {name: value.numpy().tolist() for name, value in outputs.items()}
answer["dtypes"] = sorted({value.dtype.name for value in outputs.values()})
print(json.dumps(answer))
"""


def check_export(case, tmp_path):
    """The export answers in a process where kmatgen cannot be imported, with the model's own samples."""
    model = compiled(case)
    # As if it had been trained: statistics and biases are no longer 0 and 1.
    model.set_weights([weight + 0.1 * np.random.default_rng(0).random(weight.shape) for weight in model.get_weights()])
    model.export(tmp_path / "export")
    answer = _in_new_process(_SERVE, tmp_path / "export")
    assert answer["names"] == sorted(model.signatures())
    assert answer["dtypes"] == ["float32"]
    expected = model.generate(5, case.condition(5), seed=3) if model.HAS_PRIOR else model.decode(np.zeros((5, 3)))
    expected = expected if isinstance(expected, dict) else {"sample": expected}
    assert set(answer["outputs"]) == set(expected)
    for name, values in expected.items():
        assert_allclose(answer["outputs"][name], values, rtol=1e-4, atol=1e-5)


def _in_new_process(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])
