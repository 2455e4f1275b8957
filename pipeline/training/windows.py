"""Windows: the frames of a clip around an instant, as indices that are computed on demand; and halves of footage."""

from __future__ import annotations

from copy import copy

import numpy as np
from numpy.typing import NDArray

from ..arrays import Samples

Indices = NDArray[np.int64]

_QUARTERS = 4


class Windows:
    """Indices of the frames around each frame of several clips.

    A window has ``size`` positions in equal time steps, with the frame itself in the middle. A position holds the
    frame of the same clip that is nearest in time; none if it is more than half a step away, or half the clip's
    period where that is longer. The first and last frames that show the person are repeated at the ends. So a window
    spans the same time for any frame rate: faster clips are subsampled, frames of slower ones repeated.

    Args:
        time: (F) of each frame, in any unit.
        clip: (F) int, number of the clip of each frame; in any order.
        shown: (F) bool, frames that show the person; the others are missing.
        size: odd number of positions of a window.
        step: between two positions, in the unit of ``time``; by default the median time between two frames.
    """

    def __init__(
        self, time: np.ndarray, clip: np.ndarray, shown: np.ndarray, size: int, step: float | None = None
    ) -> None:
        order = np.lexsort((time, clip))
        self._frame = order[shown[order]]
        self._label, start, count = np.unique(clip[self._frame], return_index=True, return_counts=True)
        self._start, self._end = start, start + count - 1
        moment = np.asarray(time, np.float64)
        self._time, self._clip, self._shown = moment, np.asarray(clip), np.asarray(shown)
        self._first, self._last = moment[self._frame[self._start]], moment[self._frame[self._end]]
        within = np.diff(moment[self._frame])[np.diff(clip[self._frame]) == 0]
        within = within[within > 0]
        self.step = step or (float(np.median(within)) if len(within) else 1.0)
        # Clips one behind the other on one line, so that one sorted search serves all of them.
        self._apart = float((self._last - self._first).max(initial=0.0)) + self.step
        self._place = self._on_the_line(np.repeat(np.arange(len(count)), count), moment[self._frame])
        self._offset = self.step * (np.arange(size) - size // 2)
        periods = [np.median(np.diff(part)) for part in np.split(self._place, start[1:]) if len(part) > 1]
        lonely = count < 2
        self._period = np.zeros(len(count))
        self._period[~lonely] = periods

    def at(self, pace: float) -> Windows:
        """Windows of the same clips whose step is longer by this factor."""
        other = copy(self)
        other.step, other._offset = pace * self.step, pace * self._offset
        return other

    def _on_the_line(self, clip: np.ndarray, time: np.ndarray) -> np.ndarray:
        return clip * self._apart + time - self._first[clip]

    def around(self, frame: np.ndarray) -> Indices:
        """Frames (N, size) around frames (N), -1 where missing; a frame that is missing itself has no window."""
        found = np.full((len(frame), len(self._offset)), -1, np.int64)
        there = np.flatnonzero(self._shown[frame])
        clip = np.searchsorted(self._label, self._clip[frame[there]])[:, None]
        wanted = self._time[frame[there], None] + self._offset
        wanted = self._on_the_line(clip, wanted.clip(self._first[clip], self._last[clip]))
        behind = np.searchsorted(self._place, wanted).clip(self._start[clip], self._end[clip])
        before = (behind - 1).clip(self._start[clip])
        nearest = np.where(wanted - self._place[before] <= self._place[behind] - wanted, before, behind)
        near = np.abs(self._place[nearest] - wanted) <= np.maximum(self.step, self._period)[clip] / 2 * (1 + 1e-6)
        found[there] = np.where(near, self._frame[nearest], -1)
        return found


def windows_of(samples: Samples, size: int, pace: float = 1.0) -> Windows | None:
    """Windows around the views of all samples, view by view within a sample; each view of a take is a clip.

    Args:
        size: frames of a window; of one there are none.
        pace: time between two frames of a window in that between two samples.
    """
    if size == 1:
        return None
    views = samples.confidence.shape[1]
    time = samples.instant if samples.time is None else samples.time
    clip = samples.take[:, None] * views + np.arange(views)
    shown = (samples.confidence > 0).any(-1)
    windows = Windows(np.repeat(time, views), clip.ravel(), shown.ravel(), size)
    return windows if pace == 1 else windows.at(pace)


def halves(samples: Samples) -> np.ndarray:
    """Half (S) of each sample, 0 or 1: it alternates over the quarters of a take; if all are short, over samples."""
    instant, take = samples.instant, samples.take
    first, last = np.full(len(samples.takes), instant.max()), np.full(len(samples.takes), instant.min())
    np.minimum.at(first, take, instant)
    np.maximum.at(last, take, instant)
    half = (instant - first[take]) * _QUARTERS // (last - first + 1)[take] % 2
    return half if half.any() else np.arange(len(half)) % 2
