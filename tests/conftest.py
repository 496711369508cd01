import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest
import tensorflow as tf

# Two logical devices on one processor stand for two replicas (tests of tf.distribute).
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


def pytest_xdist_auto_num_workers(config):
    """Several processes for the whole suite; for a file or two, none: importing TensorFlow again takes longer."""
    whole = config.args_source is not pytest.Config.ArgsSource.ARGS
    return min(len(os.sched_getaffinity(0)), 4) if whole else 0


@pytest.fixture(autouse=True)
def fresh_state():
    """Every test starts from the same seeds and the same precision."""
    keras.utils.set_random_seed(0)
    before = keras.config.dtype_policy()
    yield
    keras.config.set_dtype_policy(before)
    keras.utils.clear_session(free_memory=False)


@pytest.fixture
def rng():
    return np.random.default_rng(0)
