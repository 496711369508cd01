"""Chords and lineal paths: how far one can go straight on within a phase."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kmatgen.metrics.correlation import Curve
from kmatgen.metrics.inputs import as_masks, check_axis, check_positive


def lineal_path(phases: np.ndarray, phase: int = 1, *, periodic: bool = True, pixel_size: float = 1.0) -> Curve:
    """`L(z)`: probability that a segment of length z, thrown along an axis, lies in the phase as a whole.

    Lu and Torquato, Phys. Rev. A 45 (1992) 922. `L(0)` is the phase fraction; a segment of length z touches z + 1
    pixels.

    Args:
        phases: Labels from 0, `(n, height, width)` or `(n, depth, height, width)`.
        phase: The phase.
        periodic: Whether samples continue at their opposite sides. If not, the average is over segments inside.
        pixel_size: Side of a pixel, in the unit that lengths shall have.

    Returns:
        A `Curve` over lengths from 0 to half the shortest side, averaged over the axes.
    """
    masks = as_masks("phases", phases, phase)
    steps = np.arange(min(masks.shape[1:]) // 2 + 1)
    inside, positions = 0.0, 0.0
    for axis in range(1, masks.ndim):
        side = masks.shape[axis]
        lines = masks[0].size // side
        runs = _runs(masks, axis, periodic)
        # A run of l pixels holds l - z segments, which the double sum over longer runs counts; an endless one `side`.
        histogram = np.bincount(runs.sample * (side + 1) + runs.length, ~runs.endless, len(masks) * (side + 1))
        longer = _sums_from(_sums_from(histogram.reshape(len(masks), side + 1))[:, 1:])
        endless = np.bincount(runs.sample, runs.endless, len(masks)) * side
        inside = inside + longer[:, steps] + endless[:, None]
        positions = positions + lines * (side - (0 if periodic else 1) * steps)
    return Curve(steps * check_positive("pixel_size", pixel_size), inside / positions)


def chord_lengths(
    phases: np.ndarray, phase: int = 1, *, axis: int | None = None, periodic: bool = True, pixel_size: float = 1.0
) -> list[np.ndarray]:
    """Lengths of the pieces that a phase cuts out of all lines along the axes (Torquato 2002, 2.5).

    Args:
        phases: Labels from 0, `(n, height, width)` or `(n, depth, height, width)`.
        phase: The phase.
        axis: Axis of a sample along which the lines run, from 0. None: all.
        periodic: Whether samples continue at their opposite sides. If not, chords that touch a side, whose true
            length is not known, are left out.
        pixel_size: Side of a pixel.

    Returns:
        The chords of each sample. Lines that never leave the phase have none.
    """
    masks = as_masks("phases", phases, phase)
    axes = range(1, masks.ndim) if axis is None else [1 + check_axis(axis, masks.ndim - 1)]
    check_positive("pixel_size", pixel_size)
    found: list[list[np.ndarray]] = [[] for _ in masks]
    for along in axes:
        runs = _runs(masks, along, periodic)
        whole = ~(runs.endless | runs.cut)
        ends = np.cumsum(np.bincount(runs.sample[whole], minlength=len(masks)))
        for chords, lengths in zip(found, np.split(runs.length[whole] * float(pixel_size), ends[:-1]), strict=True):
            chords.append(lengths)
    return [np.concatenate(chords) for chords in found]


class _Runs(NamedTuple):
    """Pieces of lines in a phase, in the order of the samples: index of the sample, length, and what they touch."""

    sample: np.ndarray
    length: np.ndarray
    cut: np.ndarray  # by a side of a sample that does not continue there
    endless: np.ndarray  # all of a line that continues at its ends


def _runs(masks: np.ndarray, axis: int, periodic: bool) -> _Runs:
    side = masks.shape[axis]
    lines = np.moveaxis(masks, axis, -1).reshape(-1, side)
    if periodic:  # begin every line outside the phase, so that no run goes around
        first = lines.argmin(axis=1)
        lines = np.take_along_axis(lines, (np.arange(side) + first[:, None]) % side, axis=1)
    steps = np.diff(lines, axis=1, prepend=False, append=False)  # True where a run begins or ends
    line, place = np.nonzero(steps)
    begin, end = place[::2], place[1::2]
    sample = line[::2] // (len(lines) // len(masks))
    touches = (begin == 0) | (end == side)
    endless = touches & (end - begin == side) if periodic else np.zeros(len(begin), bool)
    return _Runs(sample, end - begin, np.zeros(len(begin), bool) if periodic else touches, endless)


def _sums_from(values: np.ndarray) -> np.ndarray:
    """At each place of the last axis the sum from there on."""
    return np.cumsum(values[:, ::-1], axis=1)[:, ::-1]
