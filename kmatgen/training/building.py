"""From a configuration, and what it leaves to the data, to a compiled model."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf

from kmatgen import networks, optimizers, registry
from kmatgen.crystals.parts import crystal_parts
from kmatgen.data.opened import Source
from kmatgen.errors import InputError, check_choice, is_out_of_memory
from kmatgen.models.base import GenerativeModel
from kmatgen.presets import Config, filled_in

_PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def build_under(strategy: tf.distribute.Strategy, config: Config, source: Source) -> GenerativeModel:
    """The compiled model of a configuration for these data, its variables placed by the strategy."""
    keras.utils.set_random_seed(config["seed"])
    with strategy.scope():
        return build_model(config, source.sample_shape, _facts(config, source))


def _facts(config: Config, source: Source) -> dict[str, Any]:
    """What a configuration leaves to the data, see `kmatgen.presets.FROM_DATA`."""
    of_crystals = {} if source.crystals is None else crystal_parts(source.crystals)
    return {**source.facts, **of_crystals, "decay_steps": _steps(config, source)}


def _steps(config: Config, source: Source) -> int:
    """Number of optimiser steps of a whole training; 1 where the number of samples is not known."""
    fit = config["fit"]
    samples = int(source.train.cardinality()) * fit.get("passes", 1)
    return max(1, samples // fit["batch_size"] * fit["epochs"])


def build_model(
    config: Config, sample_shape: tuple[int, ...], facts: Mapping[str, Any] = MappingProxyType({})
) -> GenerativeModel:
    """The compiled model of a configuration.

    Args:
        config: A resolved configuration.
        sample_shape: Shape of one sample.
        facts: What the configuration leaves to the data, see `kmatgen.presets.filled_in`.

    Raises:
        InputError: The networks, the model or the way of training cannot be had, or are not for such samples.
    """
    check_choice("precision", config["precision"], _PRECISIONS)
    builders = [name for name in networks.__all__ if name.islower()]
    for part in config["networks"].values():
        check_choice("A builder", part["builder"], builders)
    _check_kind(config, sample_shape)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(config["precision"])
    try:
        parts = {}
        for role, part in config["networks"].items():
            with _blaming(f"networks.{role}", part):
                parts[role] = getattr(networks, part["builder"])(sample_shape, **filled_in(part["config"], facts))
        with _blaming("model", config["model"]):
            cls = registry.get_class("model", config["model"]["class_name"])
            more = filled_in(config["model"]["config"], facts)
            model = cls(**parts, **more, seed=config["seed"], name=config["preset"])
    finally:
        keras.config.set_dtype_policy(before)
    compiled = {}
    # Filled in is a copy: Keras rewrites the dicts that it reads, and the configuration has to stay what it was.
    for name, value in filled_in(config["compile"], facts).items():
        with _blaming(f"compile.{name}", config["compile"][name]):
            compiled[name] = _from_json(value)
    with _blaming("compile", config["compile"]):
        model.compile(**compiled)
    return model


@contextlib.contextmanager
def _blaming(path: str, setting: Any) -> Iterator[None]:
    """A context in which whatever Keras, TensorFlow or Python say against a setting becomes one sentence about it.

    Raises:
        InputError: Anything was raised inside; with its own sentence, where it is one. A lack of memory stays one.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        said = (str(error).strip() or type(error).__name__).splitlines()[0].partition(" Received")[0].rstrip(".:")
        raise InputError(f"{path} makes no model: {said}. Received: {json.dumps(setting)}.") from error


def _check_kind(config: Config, sample_shape: Any) -> None:
    """Refuse networks of images for crystals, and the other way round, and properties that no network predicts."""
    are_fields = isinstance(sample_shape, dict)
    for part in config["networks"].values():
        if (part["builder"] in networks.OF_FIELDS) != are_fields:
            wanted = "Crystals are trained with a preset such as crystal_diffusion"
            if not are_fields:
                wanted = "The networks of this preset are for crystals: CIF files or a csv table of them"
            raise InputError(f"{wanted}. Received: {config['preset']} with {config['data']['source']}.")
    # Runs that began before there was such a setting go on as they began.
    properties = config["data"]["crystals"].get("properties")
    if properties and "property_head" not in config["networks"]:
        raise InputError(
            "Properties are predicted by crystal_vae; other models are generated for data.crystals.conditions. "
            f"Received: {config['preset']} with data.crystals.properties={properties}."
        )


def _from_json(value: Any) -> Any:
    """A compile argument as an object where the configuration holds its class name."""
    if not isinstance(value, dict) or "class_name" not in value:
        return value
    if value["class_name"] in registry.names("schedule"):
        return registry.get("schedule", value)
    return optimizers.get(value)
