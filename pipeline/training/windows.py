"""Windows: the frames of a clip around an instant, as indices that are computed on demand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


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
        self._reach = np.full(len(count), self.step / 2)
        self._reach[~lonely] = np.maximum(self.step, periods) / 2

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
        near = np.abs(self._place[nearest] - wanted) <= self._reach[clip] * (1 + 1e-6)
        found[there] = np.where(near, self._frame[nearest], -1)
        return found
