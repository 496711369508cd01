"""Where an electron microscope's data bar begins.

A data bar is a strip over the full width that reaches the bottom edge. Almost all its pixels have one flat
level; on it stand lines of text and a scale bar; and it begins at one sharp row. All of these are required:
cutting the foot off an image that has no bar would lose data, and nobody would notice.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

_TOLERANCES = (0.02, 0.05, 0.1)  # of the grey range: what is still "flat"; the later ones are for JPEG's ringing
_HIGHEST = 0.3  # of the image: no bar is higher
_LOWEST = 8  # rows: a lower strip holds no readable text
_CONTRAST = 0.2  # of the grey range: how far a glyph differs from its background
_TEXT_ROW = 0.3  # share of flat pixels in a row of dense text
_MARGIN_ROW = 0.9  # share of flat pixels in a row without text; separators between cells cross it
_IMAGE_ROW = 0.6  # at most this share of an image's row has the bar's level


def find_data_bar(image: np.ndarray) -> int | None:
    """First row of the instrument's data bar at the bottom of a micrograph.

    Args:
        image: Pixels of any number type, (height, width) or (height, width, channels).

    Returns:
        The row, so that `image[:row]` is the micrograph, or None if there is no bar.
    """
    grey = _grey(image)
    if grey is None or min(grey.shape) < 4 * _LOWEST:
        return None
    for tolerance in _TOLERANCES:
        row = _find(grey, tolerance)
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


def _find(grey: np.ndarray, tolerance: float) -> int | None:
    height = grey.shape[0]
    level = _background(grey)
    flat = np.abs(grey - level) <= tolerance
    share = flat.mean(axis=1)
    line = _is_line(grey, tolerance) & (share < _TEXT_ROW)  # a border or a separator in another level
    like_bar = (share >= _TEXT_ROW) | line
    breaks = np.flatnonzero(~like_bar)
    first = max(breaks[-1] + 1 if len(breaks) else 0, int(height * (1 - _HIGHEST)), 1)
    for row in range(first, height - _LOWEST + 1):
        if share[row] >= 0.75 and share[row : row + 3].max() >= _MARGIN_ROW:
            start = _with_border(row, line, height)
            if _is_edge(start, share, line) and _holds_text(grey[row:], level, tolerance):
                return int(start)
    return None


def _background(grey: np.ndarray) -> float:
    """The commonest level of the last rows."""
    foot = grey[-max(4, grey.shape[0] // 25) :].ravel()
    counts, edges = np.histogram(foot, bins=64, range=(0.0, 1.0))
    most = counts.argmax()
    return float(np.median(foot[(foot >= edges[most]) & (foot <= edges[most + 1])]))


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


def _is_edge(start: int, share: np.ndarray, line: np.ndarray) -> bool:
    """Whether the rows above are image: the bar's level is not theirs, neither next to the edge nor on the whole."""
    if start == 0:
        return False
    near = share[max(0, start - max(4, len(share) // 50)) : start]
    return share[start - 1] <= _IMAGE_ROW and near.mean() <= _IMAGE_ROW and share[:start].mean() <= _IMAGE_ROW


def _holds_text(bar: np.ndarray, level: float, tolerance: float) -> bool:
    """Whether compact marks of a text's kind stand in lines on the flat background."""
    ink = np.abs(bar - level) > max(_CONTRAST, 2 * tolerance)
    ink[:, ink.mean(axis=0) >= 0.85] = False  # the lines between cells are no glyphs, but would tie glyphs together
    ink[ink.mean(axis=1) >= 0.85] = False
    if not 0.002 <= ink.mean() <= 0.5:
        return False
    labels, count = ndimage.label(ink, structure=np.ones((3, 3), dtype=int))
    boxes = ndimage.find_objects(labels)
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    top, bottom, left, right = np.array([[y.start, y.stop, x.start, x.stop] for y, x in boxes]).T
    high, wide = bottom - top, right - left
    glyph = (high >= 4) & (high <= 0.7 * len(bar)) & (wide <= 0.3 * bar.shape[1]) & (top > 0)
    if glyph.sum() < 3 or (top == 0).mean() > 0.1:
        return False
    fill = areas[glyph] / (high * wide)[glyph]
    return bool(np.median(fill) <= 0.75 and _stand_in_lines(bottom[glyph], high[glyph], len(bar)))


def _stand_in_lines(bottom: np.ndarray, high: np.ndarray, height: int) -> bool:
    """Whether glyphs share a few base lines, far more often than particles strewn at random would."""
    size = float(np.median(high))
    lines = max(1, round(height / (2 * size)))
    ends = np.bincount(bottom, minlength=height + 2)
    on_lines = 0
    for _ in range(lines):
        pairs = ends[:-1] + ends[1:]
        best = pairs.argmax()
        on_lines += pairs[best]
        ends[best : best + 2] = 0
    expected = min(1.0, 2 * lines / max(height - size, 1.0))
    return bool(on_lines / len(bottom) >= max(0.5, min(0.9, 2.5 * expected)))
