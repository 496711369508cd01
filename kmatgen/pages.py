"""Self-contained HTML pages: the package's templates filled, pictures embedded."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, NamedTuple

import jinja2

import kmatgen

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("kmatgen"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)


class Picture(NamedTuple):
    """A picture of a report, as its template wants it."""

    title: str
    caption: str
    source: str


def picture(path: Path, title: str, caption: str) -> Picture:
    """A PNG file, embedded in the page."""
    encoded = base64.b64encode(path.read_bytes()).decode("ascii")
    return Picture(title, caption, f"data:image/png;base64,{encoded}")


def render(template: str, path: Path, **content: Any) -> Path:
    """Fill one of the package's templates and write the page."""
    page = _TEMPLATES.get_template(template).render(version=kmatgen.__version__, **content)
    path.write_text(page, encoding="utf-8")
    return path
