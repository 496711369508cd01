"""Crystals as a TensorFlow data set, for collections too large for one process: `prepare_crystals`.

Parts of the collection are read by an Apache Beam pipeline (`pip install "kmatgen[beam]"`): on this machine, or by any
runner of Beam, such as Flink, Spark or Dataflow. Without Beam the same is done in this process. Finished parts stay in
a folder, so that an interrupted run goes on. The result is read back as the table that `read_crystals` gives.
"""

from __future__ import annotations

import csv
import dataclasses
import importlib.util
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from kmatgen.data.cleaning import DUPLICATE, CleaningReport, RefusedEntry
from kmatgen.data.crystal_entries import find_entries
from kmatgen.data.crystal_parts import PART, load_part, read_part, write_parts
from kmatgen.data.crystal_reading import ReadOptions
from kmatgen.data.crystals import Crystals
from kmatgen.errors import InputError
from kmatgen.files import completed
from kmatgen.representations.crystal_table import CrystalTable

_ROWS = 1 << 32  # more than a part has crystals, to number those of all parts
_REFUSED = "refused.csv"


@dataclasses.dataclass(kw_only=True)
class CrystalConfig(tfds.core.BuilderConfig):
    """Which crystals are read, and how. A config of your own needs a `name` of its own, which is also its folder.

    Attributes:
        source: A folder, a csv table or `"prototypes"`, see `read_crystals`.
        column: The csv column that holds the crystals.
        properties: Columns of numbers to keep.
        options: What is made of the cells.
        duplicates: Keep crystals that are equal to an earlier one.
        part: Entries in a part of the work.
    """

    source: str = "prototypes"
    column: str | None = None
    properties: tuple[str, ...] = ()
    options: ReadOptions = dataclasses.field(default_factory=ReadOptions)
    duplicates: bool = False
    part: int = PART


class CrystalCollection(tfds.core.GeneratorBasedBuilder):
    """Crystals with their lattice, species, fractional coordinates, space group and properties."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "First version."}
    BUILDER_CONFIGS = [CrystalConfig(name="prototypes", description="Structure prototypes of the AFLOW library.")]

    # As for the polycrystals: there are no checksums of downloads to look for beside the code.
    code_path = None

    @property
    def parts(self) -> epath.Path:
        """The folder of finished parts, beside the prepared sets."""
        return self.data_path.parent / "parts"

    def _info(self) -> tfds.core.DatasetInfo:
        # Without an encoding of their own, numbers would be stored with the seven digits of float32.
        number = tfds.features.Scalar(np.int64)
        real = tfds.features.Tensor(shape=(), dtype=np.float64, encoding="bytes")
        return tfds.core.DatasetInfo(
            builder=self,
            description="Crystals read and cleaned by kmatgen.",
            features=tfds.features.FeaturesDict(
                {
                    "lattice": tfds.features.Tensor(shape=(6,), dtype=np.float64, encoding="bytes"),
                    "species": tfds.features.Tensor(shape=(None,), dtype=np.int32),
                    "coords": tfds.features.Tensor(shape=(None, 3), dtype=np.float64, encoding="bytes"),
                    "space_group": tfds.features.Scalar(np.int32),
                    "properties": {name: real for name in self.builder_config.properties},
                    "origin": tfds.features.Text(),
                    "equal": tfds.features.Sequence({"number": number, "origin": tfds.features.Text()}),
                    "number": number,
                }
            ),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        config = self.builder_config
        names = write_parts(find_entries(config.source, config.column), config.options, self.parts, config.part)
        return {"train": self._generate_examples(names)}

    def _generate_examples(self, names: list[str]) -> Any:
        folder, duplicates = os.fspath(self.parts), self.builder_config.duplicates
        if importlib.util.find_spec("apache_beam") is None:
            return _in_this_process(names, folder, duplicates)
        import apache_beam as beam

        return (
            beam.Create(names)
            | beam.Reshuffle()
            | beam.Map(read_part, folder=folder)
            | beam.FlatMap(keyed_crystals, folder=folder, duplicates=duplicates)
            | beam.GroupByKey()
            | beam.MapTuple(first_of_equal)
        )


def prepare_crystals(
    source: str | os.PathLike[str],
    data_dir: str | os.PathLike[str],
    *,
    column: str | None = None,
    options: ReadOptions | None = None,
    duplicates: bool = False,
    part: int = PART,
    name: str | None = None,
    runner: str | None = None,
    beam_options: Sequence[str] = (),
) -> tfds.core.DatasetBuilder:
    """Read and clean a large collection of crystals into a TensorFlow data set.

    Args:
        source: A folder, a csv table or `"prototypes"`, see `read_crystals`.
        data_dir: Where the set and its finished parts go. A folder that all workers reach, where there are several
            machines.
        column: As in `read_crystals`.
        options: What is made of the cells; the options of `read_crystals`.
        duplicates: Keep crystals that are equal to an earlier one.
        part: Entries in a part of the work.
        name: Of the set. Defaults to that of the source.
        runner: Who runs the pipeline: None is Beam in this process, or no Beam where it is not installed;
            `"FlinkRunner"`, `"SparkRunner"`, `"DataflowRunner"`, `"DirectRunner"` or another runner of Beam.
        beam_options: Options of Beam and of the runner, such as `"--flink_master=host:8081"`, or
            `"--direct_num_workers=8"` with `"--direct_running_mode=multi_processing"`.

    Returns:
        The builder of the prepared set: `as_dataset()` streams it, `prepared_crystals` gives the table.

    Raises:
        InputError: The source cannot be read, a runner is named but Beam is not installed, or nothing is usable.
    """
    properties = tuple(find_entries(source, column)[0].properties)
    config = CrystalConfig(
        name=name or Path(source).stem or "crystals",
        source=os.fspath(source),
        column=column,
        properties=properties,
        options=options or ReadOptions(),
        duplicates=duplicates,
        part=part,
    )
    builder = CrystalCollection(data_dir=os.fspath(data_dir), config=config)
    download = tfds.download.DownloadConfig(**_beam(runner, beam_options))
    builder.download_and_prepare(download_config=download)
    if not (builder.data_path / _REFUSED).exists():
        _write_refused(builder)
    return builder


def prepared_crystals(builder: tfds.core.DatasetBuilder) -> Crystals:
    """The table and the report of a prepared set, as `read_crystals` would have given them.

    Args:
        builder: From `prepare_crystals`, or `tfds.builder_from_directory`.
    """
    examples = sorted(tfds.as_numpy(builder.as_dataset(split="train")), key=lambda example: example["number"])
    sites = max(len(example["species"]) for example in examples)
    species = np.stack([np.pad(e["species"], (0, sites - len(e["species"]))) for e in examples])
    coords = np.stack([np.pad(e["coords"], ((0, sites - len(e["coords"])), (0, 0))) for e in examples])
    table = CrystalTable(
        np.stack([example["lattice"] for example in examples]),
        species,
        coords,
        np.array([example["space_group"] for example in examples]),
        {name: np.array([e["properties"][name] for e in examples]) for name in examples[0]["properties"]},
        np.array([example["origin"].decode() for example in examples]),
    )
    with (builder.data_path / _REFUSED).open("r") as file:
        rows = list(csv.reader(file))[1:]
    return Crystals(table, CleaningReport([RefusedEntry(*row) for row in rows], len(table)), builder.info.full_name)


def keyed_crystals(name: str, folder: str, duplicates: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """The crystals of a finished part as examples, each with a key that equal ones share."""
    share = load_part(name, folder)
    if share.table is None:
        return
    table, first = share.table, int(name.split("-")[0]) * _ROWS
    for row, (sites, key) in enumerate(zip(table.n_sites, share.keys, strict=True)):
        example = {
            "lattice": table.lattice[row],
            "species": table.species[row, :sites].astype(np.int32),
            "coords": table.coords[row, :sites],
            "space_group": int(table.space_group[row]),
            "properties": {name: float(column[row]) for name, column in table.properties.items()},
            "origin": str(table.origin[row]),
            "equal": [],
            "number": first + row,
        }
        yield (f"{first + row}" if duplicates else key.hex()), example


def first_of_equal(key: str, group: Iterable[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    """Of crystals with one key the first, which knows the others; with its number, as TFDS wants examples."""
    first, *others = sorted(group, key=lambda example: example["number"])
    equal = [{"number": example["number"], "origin": example["origin"]} for example in others]
    return first["number"], {**first, "equal": equal}


def _in_this_process(names: list[str], folder: str, duplicates: bool) -> Iterator[tuple[int, dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for name in names:
        for key, example in keyed_crystals(read_part(name, folder), folder, duplicates):
            groups.setdefault(key, []).append(example)
    for key, group in groups.items():
        yield first_of_equal(key, group)


def _beam(runner: str | None, options: Sequence[str]) -> dict[str, Any]:
    """Arguments of TFDS for Beam; none where it is not installed."""
    if importlib.util.find_spec("apache_beam") is None:
        if runner is not None or options:
            raise InputError(f"Runners need Apache Beam: pip install 'kmatgen[beam]'. Received: runner={runner!r}.")
        return {}
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    # Beam's "DirectRunner" may fetch a program from the internet first; this is the part of it that never does.
    chosen = FnApiRunner() if runner is None else runner
    return {"beam_runner": chosen, "beam_options": PipelineOptions(list(options))}


def _write_refused(builder: CrystalCollection) -> None:
    """Write the report beside the set: what the parts refused, then what was equal to something earlier."""
    config = builder.builder_config
    names = write_parts(find_entries(config.source, config.column), config.options, builder.parts, config.part)
    refused = [entry for name in names for entry in load_part(name, builder.parts).refused]
    equal = [
        (number, RefusedEntry(origin.decode(), DUPLICATE, f"Equal to {example['origin'].decode()}."))
        for example in tfds.as_numpy(builder.as_dataset(split="train"))
        for number, origin in zip(example["equal"]["number"], example["equal"]["origin"], strict=True)
    ]
    refused += [entry for _, entry in sorted(equal, key=lambda pair: pair[0])]
    with completed(builder.data_path / _REFUSED) as partial:
        partial.write_text(CleaningReport(refused).as_csv())
