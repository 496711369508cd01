"""Where an electron microscope's data bar begins.

A data bar is a strip over the full width that reaches the bottom edge. Almost all its pixels have one flat
level, or one in each of a few cells side by side; on it stand lines of text and a scale bar; and it begins at
one sharp row. All of these are required: cutting the foot off an image that has no bar would lose data, and
nobody would notice. Two such strips may lie on top of each other.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
from scipy import ndimage

_TOLERANCES = (0.02, 0.05, 0.1)  # of the grey range: what is still "flat"; the later ones are for JPEG's ringing
_HIGHEST = 0.3  # of the image: no bar is higher
_LOWEST = 8  # rows: a lower strip holds no readable text
_CONTRAST = 0.2  # of the grey range: how far a glyph differs from its background
_TEXT_ROW = 0.3  # share of flat pixels in a row of dense text
_MARGIN_ROW = 0.9  # share of flat pixels in a row without text; separators between cells cross it
_MOST_CELLS = 5  # of different backgrounds side by side
_IMAGE_ROW = 0.6  # at most this share of an image's row has the bar's level


def find_data_bar(image: np.ndarray) -> int | None:
    """First row of the instrument's data bar at the bottom of a micrograph.

    Args:
        image: Pixels of any number type, (height, width) or (height, width, channels).

    Returns:
        The row, so that `image[:row]` is the micrograph, or None if there is no bar.
    """
    grey = _grey(image)
    if grey is None:
        return None
    lowest = int(grey.shape[0] * (1 - _HIGHEST))
    found, row = None, _strip(grey)
    while row is not None and row >= lowest:
        found, row = row, _strip(grey[:row])
    return found


def _strip(grey: np.ndarray) -> int | None:
    """First row of the lowest strip, where there is one."""
    if min(grey.shape) < 4 * _LOWEST:
        return None
    for level in (_background(grey), _cells(grey)):
        for tolerance in _TOLERANCES if level is not None else ():
            row = _find(grey, level, tolerance)
            if row is not None:
                return row
    return None


def _grey(image: np.ndarray) -> np.ndarray | None:
    """One channel, scaled to [0, 1]; None for a constant image."""
    grey = np.asarray(image, dtype=np.float32)
    if grey.ndim == 3:
        grey = grey[:, :, : 3 if grey.shape[2] in (3, 4) else 1].mean(axis=2)
    low, high = grey.min(), grey.max()
    return (grey - low) / (high - low) if high > low else None


def _find(grey: np.ndarray, level: float | np.ndarray, tolerance: float) -> int | None:
    if not _like_bar(grey[-_LOWEST:], level, tolerance)[0].all():  # most images without a bar are done here
        return None
    height = grey.shape[0]
    like_bar, share, line = _like_bar(grey, level, tolerance)
    breaks = np.flatnonzero(~like_bar)
    first = max(breaks[-1] + 1 if len(breaks) else 0, int(height * (1 - _HIGHEST)), 1)
    for row in range(first, height - _LOWEST + 1):
        if share[row] >= 0.75 and share[row : row + 3].max() >= _MARGIN_ROW:
            start = _with_border(row, line, height)
            if _is_edge(start, share) and _holds_text(grey[row:], level, tolerance):
                return int(start)
    return None


def _like_bar(
    grey: np.ndarray, level: float | np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each row: whether it may belong to a bar, its share of flat pixels, whether it is a border or separator."""
    share = (np.abs(grey - level) <= tolerance).mean(axis=1)
    line = (share < _TEXT_ROW) & _is_line(grey, tolerance)
    return (share >= _TEXT_ROW) | line, share, line


def _background(grey: np.ndarray) -> float:
    """The commonest level of the last rows."""
    foot = grey[-max(4, grey.shape[0] // 25) :].ravel()
    bins = np.minimum((foot * 64).astype(np.intp), 63)
    most = np.bincount(bins).argmax()
    return float(np.median(foot[bins == most]))


def _cells(grey: np.ndarray) -> np.ndarray | None:
    """The background of each column, where it has a few levels side by side; else None."""
    width = grey.shape[1]
    columns = np.median(grey[-max(_LOWEST, grey.shape[0] // 25) :], axis=0)
    columns = ndimage.median_filter(columns, 2 * (width // 32) + 1, mode="nearest")  # without glyphs
    starts = [0, *(np.flatnonzero(np.abs(np.diff(columns)) > _CONTRAST) + 1), width]
    if not 2 <= len(starts) - 1 <= _MOST_CELLS or min(np.diff(starts)) < width // 20:
        return None
    levels = [np.median(columns[start:end]) for start, end in itertools.pairwise(starts)]
    return np.repeat(levels, np.diff(starts)).astype(np.float32)


def _is_line(grey: np.ndarray, tolerance: float) -> np.ndarray:
    """Which rows have one level from the left to the right."""
    middle = np.median(grey, axis=1, keepdims=True)
    return (np.abs(grey - middle) <= tolerance).mean(axis=1) >= 0.97


def _with_border(row: int, line: np.ndarray, height: int) -> int:
    """The row where the bar's border begins, if a thin line lies on top of the bar."""
    start = row
    while start > 0 and line[start - 1]:
        start -= 1
    thin = row - start <= max(3, height // 100)
    return start if thin else row


def _is_edge(start: int, share: np.ndarray) -> bool:
    """Whether the rows above are image: the bar's level is not theirs, neither next to the edge nor on the whole."""
    if start == 0:
        return False
    near = share[max(0, start - max(4, len(share) // 50)) : start]
    return share[start - 1] <= _IMAGE_ROW and near.mean() <= _IMAGE_ROW and share[:start].mean() <= _IMAGE_ROW


def _holds_text(bar: np.ndarray, level: float | np.ndarray, tolerance: float) -> bool:
    """Whether compact marks of a text's kind stand in lines on the flat background."""
    ink = np.abs(bar - level) > max(_CONTRAST, 2 * tolerance)
    ink[:, ink.mean(axis=0) >= 0.85] = False  # the lines between cells are no glyphs, but would tie glyphs together
    ink[ink.mean(axis=1) >= 0.85] = False
    if not 0.002 <= ink.mean() <= 0.5:
        return False
    marks = _marks(ink)
    specks = (marks.high < 4) & (marks.wide < 2 * marks.high + 4)
    glyph = (marks.high >= 4) & (marks.high <= 0.7 * len(bar)) & (marks.wide <= 0.3 * bar.shape[1]) & (marks.top > 0)
    cut_off = (marks.top == 0).mean()
    if glyph.sum() < 3 or cut_off > 0.1 or marks.area[specks].sum() > 0.3 * marks.area[specks | glyph].sum():
        return False
    glyphs = _Marks(*(values[glyph] for values in marks))
    return _are_strokes(glyphs) and _differ(glyphs) and _stand_in_lines(glyphs, len(bar)) and _are_words(glyphs)


class _Marks(NamedTuple):
    """Connected pieces of ink: their boxes, their pixels, and half the thickness of their thickest part."""

    top: np.ndarray
    left: np.ndarray
    high: np.ndarray
    wide: np.ndarray
    area: np.ndarray
    depth: np.ndarray


def _marks(ink: np.ndarray) -> _Marks:
    labels, count = ndimage.label(ink, structure=np.ones((3, 3), dtype=int))
    boxes = np.array([[y.start, y.stop, x.start, x.stop] for y, x in ndimage.find_objects(labels)])
    top, bottom, left, right = boxes.T
    area = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    depth = ndimage.maximum(ndimage.distance_transform_cdt(np.pad(ink, 1))[1:-1, 1:-1], labels, range(1, count + 1))
    return _Marks(top, left, bottom - top, right - left, area, np.asarray(depth))


def _are_strokes(glyphs: _Marks) -> bool:
    """Letters are drawn with thin strokes; particles, pores and grains are solid."""
    fill = glyphs.area / (glyphs.high * glyphs.wide)
    return bool(np.median(fill) <= 0.75 and np.median((glyphs.depth - 0.5) / glyphs.high) <= 0.22)


def _differ(glyphs: _Marks) -> bool:
    """Letters differ from each other; the pieces of a regular pattern do not."""
    sizes = np.stack([glyphs.high, glyphs.wide, glyphs.area])
    same = np.unique(sizes, axis=1, return_counts=True)[1].max()
    boxes = sizes[:2]
    alike = (np.abs(boxes - np.median(boxes, axis=1, keepdims=True)) <= 1).all(axis=0)
    return bool(len(glyphs.top) < 5 or (same <= 0.5 * len(glyphs.top) and alike.mean() <= 0.85))


def _are_words(glyphs: _Marks) -> bool:
    """Most letters have a neighbour on their line that is nearer than a letter is high."""
    size = np.median(glyphs.high)
    left, right, bottom = glyphs.left, glyphs.left + glyphs.wide, glyphs.top + glyphs.high
    gap = np.maximum(left[None] - right[:, None], left[:, None] - right[None])
    near = (gap <= 0.8 * size) & (np.abs(bottom[None] - bottom[:, None]) <= max(1.0, 0.4 * size))
    np.fill_diagonal(near, False)
    return bool(near.any(axis=1).mean() >= 0.5)


def _stand_in_lines(glyphs: _Marks, height: int) -> bool:
    """Whether glyphs share a few base lines, far more often than particles strewn at random would."""
    size = float(np.median(glyphs.high))
    lines = max(1, round(height / (2 * size)))
    ends = np.bincount(glyphs.top + glyphs.high, minlength=height + 2)
    on_lines = 0
    for _ in range(lines):
        pairs = ends[:-1] + ends[1:]
        best = pairs.argmax()
        on_lines += pairs[best]
        ends[best : best + 2] = 0
    expected = min(1.0, 2 * lines / max(height - size, 1.0))
    return bool(on_lines / len(glyphs.top) >= max(0.5, min(0.9, 2.5 * expected)))
