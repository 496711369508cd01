"""How many micrometres a pixel is wide: from a table, or from what the instrument wrote into the file."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import tifffile
from PIL import Image

from kmatgen.errors import InputError

_MICROMETRES = {
    **dict.fromkeys(("um", "\u00b5m", "\u03bcm", "\\u00b5m", "micron", "microns", "micrometer", "micrometre"), 1.0),
    **dict.fromkeys(("nm", "nanometer", "nanometre"), 1e-3),
    **dict.fromkeys(("a", "\u00c5".lower(), "angstrom"), 1e-4),
    **dict.fromkeys(("pm",), 1e-6),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), 1e3),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), 1e4),
    **dict.fromkeys(("m", "meter", "metre"), 1e6),
    **dict.fromkeys(("inch", "in"), 25400.0),
}
_NAME_COLUMNS = ("path", "file", "filename")
# A resolution in the tags is a setting for printers unless it is finer than any: 10 um a pixel is 2540 dpi.
_COARSEST_TAG = 10.0
_FINEST_TAG = 1e-5


def read_metadata(csv_file: str | os.PathLike[str]) -> dict[str, dict[str, str]]:
    """A metadata table, one row a micrograph.

    Args:
        csv_file: A csv file with a header. The column `path`, `file` or `filename` names the image.

    Returns:
        The rows by the name in that column (with `/` between folders, if it has any).

    Raises:
        InputError: The file is missing, is no text, or no column names the image.
    """
    path = Path(csv_file)
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            columns = rows.fieldnames or []
            column = next((name for name in _NAME_COLUMNS if name in columns), None)
            if column is None:
                raise InputError(
                    f"{path} needs a column path, file or filename. Received: {', '.join(columns) or '-'}."
                )
            return {_key(row[column]): row for row in rows if row[column]}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        what = getattr(error, "strerror", None) or error
        raise InputError(f"The metadata file {path} must be a csv table in UTF-8. Received: {what}.") from error


def pixel_size(
    path: str | os.PathLike[str],
    metadata: Mapping[str, Mapping[str, str]] | str | os.PathLike[str] | None = None,
) -> float | None:
    """The width of a pixel of a micrograph.

    The table comes first: `pixel_size` or `pixel_size_um` (micrometres), or the scale bar, `micron_bar` in
    `micron_bar_units` (um, nm, mm; um if empty) over `micron_bar_px`. Then the tags of a TIFF by FEI, Zeiss,
    Olympus, ImageJ and in OME-XML. Last the resolution of a TIFF, PNG, JPEG or BMP in dots per inch, centimetre or
    metre, believed only between 0.01 nm and 10 um a pixel: 72, 96, 300 or 1200 dpi (21 um) speak of paper, not
    of a specimen.

    Args:
        path: The image file.
        metadata: What `read_metadata` gave, or the csv file itself.

    Returns:
        Micrometres a pixel, or None if nothing tells.

    Raises:
        InputError: The file's row of the table holds no usable number or unit.
    """
    path = Path(path)
    if isinstance(metadata, (str, os.PathLike)):
        metadata = read_metadata(metadata)
    found = _from_row(path, metadata_row(path, metadata)) if metadata else None
    if found is not None:
        return found
    try:
        return _from_tags(path) if path.suffix.lower() in (".tif", ".tiff") else _from_header(path)
    except Exception:  # tags are free text from many programs; what cannot be read tells nothing
        return None


def _key(name: str) -> str:
    return name.strip().replace("\\", "/").removeprefix("./")


def metadata_row(path: Path, metadata: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
    """The row of a file, whose name may be preceded by any of its folders; empty if there is none."""
    for start in range(len(path.parts)):
        row = metadata.get("/".join(path.parts[start:]))
        if row is not None:
            return row
    return {}


def _from_row(path: Path, row: Mapping[str, str]) -> float | None:
    for column in ("pixel_size_um", "pixel_size"):
        if (row.get(column) or "").strip():
            return _positive(row[column], column, path)
    if not ((row.get("micron_bar") or "").strip() and (row.get("micron_bar_px") or "").strip()):
        return None
    unit = (row.get("micron_bar_units") or "").strip() or "um"
    if unit.lower() not in _MICROMETRES:
        raise InputError(f"micron_bar_units of {path.name} must be um, nm or mm. Received: {unit!r}.")
    length = _positive(row["micron_bar"], "micron_bar", path) * _MICROMETRES[unit.lower()]
    return length / _positive(row["micron_bar_px"], "micron_bar_px", path)


def _positive(text: str, column: str, path: Path) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise InputError(f"{column} of {path.name} must be a positive number. Received: {text!r}.")
    return value


def _from_tags(path: Path) -> float | None:
    with tifffile.TiffFile(path) as file:
        instruments = (_fei(file.fei_metadata), _zeiss(file.sem_metadata), _olympus(file.sis_metadata))
        told = next((width for width in (*instruments, _ome(file.ome_metadata)) if width), None)
        return told or _from_resolution(file)


def _from_header(path: Path) -> float | None:
    with Image.open(path) as image:
        dots = image.info.get("dpi", (0.0, 0.0))[0]
    return _believed(25400.0 / float(dots)) if dots else None


def _fei(tags: dict[str, Any] | None) -> float | None:
    for section in ("Scan", "EScan"):
        width = ((tags or {}).get(section) or {}).get("PixelWidth")
        if width:
            return _usable(float(width) * 1e6)
    return None


def _zeiss(tags: dict[str, Any] | None) -> float | None:
    for name in ("ap_image_pixel_size", "ap_pixel_size"):
        entry = (tags or {}).get(name)
        if entry and len(entry) > 2:
            return _usable(float(entry[1]) * _MICROMETRES[str(entry[2]).lower()])
    return None


def _olympus(tags: dict[str, Any] | None) -> float | None:
    return _usable(float((tags or {}).get("pixelsizex") or 0.0) * 1e6)


def _ome(xml: str | None) -> float | None:
    if not xml:
        return None
    pixels = next(element for element in ElementTree.fromstring(xml).iter() if element.tag.endswith("}Pixels"))
    unit = pixels.get("PhysicalSizeXUnit", "um").lower()  # the schema's own default is the micrometre
    return _usable(float(pixels.get("PhysicalSizeX", "nan")) * _MICROMETRES[unit])


def _from_resolution(file: tifffile.TiffFile) -> float | None:
    tags = file.pages[0].tags
    over, under = tags.valueof("XResolution", default=(0, 0))
    if not over or not under:
        return None
    unit = str((file.imagej_metadata or {}).get("unit", "")).lower()
    if unit in _MICROMETRES:
        return _usable(_MICROMETRES[unit] * under / over)
    # TIFF's own default for the unit is the inch
    width = {2: 25400.0, 3: 10000.0}.get(int(tags.valueof("ResolutionUnit", default=2)), math.nan) * under / over
    return _believed(width)


def _believed(width: float) -> float | None:
    return width if _FINEST_TAG <= width <= _COARSEST_TAG else None


def _usable(width: float) -> float | None:
    return width if math.isfinite(width) and width > 0 else None
