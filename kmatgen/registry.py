"""Public names: one decorator names a class and makes it serialisable, one function finds it again."""

from __future__ import annotations

import importlib
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import keras

from kmatgen.errors import InputError

T = TypeVar("T", bound=type)

# Where the classes of a kind are defined: importing the module fills its table.
_HOMES = {
    "corruption": ("kmatgen.diffusion.corruption",),
    "field": ("kmatgen.diffusion.fields",),
    "layer": (
        "kmatgen.layers",
        "kmatgen.diffusion.prior",
        "kmatgen.representations.active",
        "kmatgen.representations.cell_metric",
        "kmatgen.representations.decoder",
        "kmatgen.representations.point_cloud_decoder",
    ),
    "loss": ("kmatgen.adversarial.losses",),
    "model": (
        "kmatgen.models.autoencoder",
        "kmatgen.models.vae",
        "kmatgen.models.gan",
        "kmatgen.models.gan_variants",
        "kmatgen.models.diffusion",
    ),
    "optimizer": ("kmatgen.optimizers",),
    "noise_schedule": ("kmatgen.diffusion.schedules",),
    "representation": tuple(
        f"kmatgen.representations.{name}"
        for name in ("composition", "crystens", "direction_graph", "flat", "point_cloud", "xtal_image")
    ),
    "sampler": ("kmatgen.diffusion.samplers",),
    "schedule": ("kmatgen.schedules",),
    "term": ("kmatgen.adversarial.penalties", "kmatgen.adversarial.auxiliary", "kmatgen.adversarial.physics"),
}
_TABLES: dict[str, dict[str, type]] = {}


def snake_case(name: str) -> str:
    """`"LinearWarmup"` -> `"linear_warmup"`, `"VAE"` -> `"vae"`, `"WGANGP"` -> `"wgangp"`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def register(kind: str, name: str | None = None) -> Callable[[T], T]:
    """Class decorator: make a class known to `get` and to Keras' serialisation.

    Args:
        kind: What the class is, for instance `"model"` or `"schedule"`.
        name: Its public name. Defaults to the class name in snake case.

    Raises:
        ValueError: A class of another module has this class name: in files Keras could not tell the two apart.
    """

    def decorate(cls: T) -> T:
        before = keras.saving.get_registered_object(f"kmatgen>{cls.__name__}")
        if before is not None and before.__module__ != cls.__module__:
            raise ValueError(
                f"Registered classes have names that differ. Received: {cls.__name__} of {cls.__module__}, "
                f"which is in {before.__module__}, too."
            )
        keras.saving.register_keras_serializable(package="kmatgen")(cls)
        _TABLES.setdefault(kind, {})[name or snake_case(cls.__name__)] = cls
        return cls

    return decorate


def names(kind: str) -> list[str]:
    """The registered names of a kind, sorted."""
    return sorted(_table(kind))


def get_class(kind: str, name: str) -> type:
    """The class registered under a name (`"vae"`) or under its class name (`"VAE"`).

    Raises:
        InputError: No class of this kind has that name.
    """
    table = _table(kind)
    by_class = {cls.__name__: cls for cls in table.values()}
    found = table.get(name) or by_class.get(name.removeprefix("kmatgen>"))
    if found is None:
        raise InputError(f"A {kind} is one of {', '.join(sorted(table))}. Received: {name!r}.")
    return found


def get(kind: str, identifier: Any) -> Any:
    """Turn what a user may pass for a `kind` into an object.

    Args:
        kind: The kind of object wanted.
        identifier: A name (`"hinge"`, made with its defaults), a dict with `class_name` and
            `config`, or an object, which is returned as it is.
    """
    if isinstance(identifier, str):
        return get_class(kind, identifier)()
    if isinstance(identifier, dict) and "class_name" in identifier:
        name = identifier.get("registered_name") or identifier["class_name"]
        return get_class(kind, name).from_config(identifier.get("config", {}))
    if isinstance(identifier, tuple(_table(kind).values())):
        return identifier
    raise InputError(
        f"A {kind} is given by name, as a dict with class_name and config, or as an object of a class that "
        f"kmatgen.registry.register({kind!r}) knows. Received: {identifier!r}."
    )


def load_model(path: str | Path) -> keras.Model:
    """Load a model that was saved with `model.save("name.keras")`, compiled as it was.

    Keras finds a class only once its module has been imported; this imports those of kmatgen first (trap 27),
    and refuses code hidden in the file.

    Raises:
        InputError: There is no such file, or it is damaged.
    """
    if not zipfile.is_zipfile(path):
        found = "which is damaged or of another kind" if Path(path).is_file() else "which is no file"
        raise InputError(f"A model is loaded from a .keras file. Received: {path}, {found}.")
    for kind in _HOMES:
        _table(kind)
    return keras.saving.load_model(path, safe_mode=True)


def _table(kind: str) -> dict[str, type]:
    for module in _HOMES[kind]:
        importlib.import_module(module)
    return _TABLES.setdefault(kind, {})
